// Batched matrix product and the linear layer.
#pragma once

#include "autograd/var.h"
#include "kernels/matmul.h"

namespace innerloop::autograd {

using kernels::Transpose;

/// op(a) op(b) for each task: op(a) [T|1, M, K], op(b) [T|1, K, N], result [T, M, N].
Var matmul(const Var& a, const Var& b, Transpose transpose_a = Transpose::kNo, Transpose transpose_b = Transpose::kNo);

/// x w + bias: x [T|1, N, F], w [T|1, F, K], bias [T|1, K], result [T, N, K].
Var linear(const Var& x, const Var& w, const Var& bias);

}  // namespace innerloop::autograd
