// Operands of nothing but zeros, for calls that must be refused.
#pragma once

#include "autograd/var.h"
#include "tensor/tensor.h"

namespace innerloop::autograd {

inline Var zeros(const Shape& shape, DType dtype = DType::kF32) { return Tensor::zeros(shape, dtype); }

}  // namespace innerloop::autograd
