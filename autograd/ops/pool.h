// Max-pool and average pool (kernels/pool.h states shapes and conventions).
#pragma once

#include "autograd/var.h"
#include "kernels/pool.h"

namespace innerloop::autograd {

using kernels::PoolGeometry;

/// Maximum over windows; ties go to the first element of the window, in value and in derivative.
Var max_pool(const Var& x, const PoolGeometry& geometry);
/// {max_pool(x), the window positions that were chosen (i32)}.
Vars max_pool_with_choice(const Var& x, const PoolGeometry& geometry);
/// x [T, N, H, W, C] at decisions `choice` (i32 window positions, a constant).
Var pool_gather(const Var& x, const Tensor& choice, const PoolGeometry& geometry);
/// The adjoint of pool_gather, of the shape `x`.
Var pool_scatter(const Var& gy, const Tensor& choice, const Shape& x, const PoolGeometry& geometry);

/// Mean over windows.
Var average_pool(const Var& x, const PoolGeometry& geometry);
/// The adjoint of average_pool, of the shape `x`.
Var average_pool_grad(const Var& gy, const Shape& x, const PoolGeometry& geometry);

/// Mean over H and W: [T, N, H, W, C] to [T, N, C].
Var global_average_pool(const Var& x);

}  // namespace innerloop::autograd
