// The last block: several blocks leave parts of a result in memory, and whichever comes last puts them together, in an order
// that does not depend on who that is. One launch in place of two, and the bits are the same each time.
//
// A ticket is a counter in device memory that is 0 before and after each launch (cuda_device.h owns them). Nobody waits.
#pragma once

#include "kernels/cuda/device.cuh"

namespace innerloop::kernels::cuda {

/// Whether this block is the last of `blocks` to come here with this ticket; what the others wrote before is then visible to it. The others do
/// not acquire: a fence costs a multiprocessor its first-level cache, and they have nothing to read.
/// Every thread of the block calls it and gets the same answer.
__device__ __forceinline__ bool is_last_block(unsigned* ticket, unsigned blocks) {
  IL_SHARED(unsigned, arrived, [1]);
  __syncthreads();
  if (threadIdx.x == 0 && threadIdx.y == 0) {
    __threadfence();  // releases what the whole block did before the barrier
    arrived[0] = atomicAdd(ticket, 1u);
    if (arrived[0] == blocks - 1) {
      atomicExch(ticket, 0u);  // for the next launch
      __threadfence();         // acquires, for the whole block behind the next barrier, what the others released
    }
  }
  __syncthreads();
  return arrived[0] == blocks - 1;
}

}  // namespace innerloop::kernels::cuda
