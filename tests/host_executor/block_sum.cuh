// Sums over a warp and over a block, for sample kernels and seeded bugs.
#pragma once

#include "kernels/cuda/device.cuh"

namespace innerloop::tests {

inline constexpr unsigned kAllLanes = 0xffffffffu;

template <class T>
__device__ __forceinline__ T warp_sum(T value) {
#pragma unroll
  for (int offset = 16; offset > 0; offset >>= 1) value += __shfl_xor_sync(kAllLanes, value, offset);
  return value;
}

/// Every thread gets the sum over the block, whose size is a multiple of 32.
template <class T>
__device__ T block_sum(T value) {
  IL_SHARED(T, part, [32]);
  const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
  value = warp_sum(value);
  __syncthreads();  // part may still be read by an earlier call
  if (lane == 0) part[warp] = value;
  __syncthreads();
  value = lane < warps ? part[lane] : T(0);
  return warp_sum(value);
}

}  // namespace innerloop::tests
