// Two neighbouring axes change places: what brings tensors into a library's layout and back.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "tensor/dtype.h"

namespace innerloop::kernels::cuda {

/// The extents of [outer, first, second, inner].
struct SwapExtents {
  std::int64_t outer = 1, first = 1, second = 1, inner = 1;
};

/// to [outer, second, first, inner] = from [outer, first, second, inner], f32 or f64, an exact copy. Aliasing: none.
/// Traffic: read once, written once; with inner = 1 the reads are strided and cost whole sectors.
void swap_axes(cudaStream_t stream, DType dtype, const SwapExtents& extents, const void* from, void* to);

}  // namespace innerloop::kernels::cuda
