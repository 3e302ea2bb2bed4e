// Filling and converting device memory, on a stream. What Tensor needs of a device besides copies.
#pragma once

#include <cuda_runtime_api.h>

#include "tensor/view.h"

namespace innerloop::kernels::cuda {

/// Every element of `to` becomes `value`. Traffic: written once.
void fill_on(cudaStream_t stream, View to, double value);

/// to[i] = from[i], converted; one shape, any dtypes. Aliasing: none. Traffic: read once, written once.
void cast_on(cudaStream_t stream, ConstView from, View to);

}  // namespace innerloop::kernels::cuda
