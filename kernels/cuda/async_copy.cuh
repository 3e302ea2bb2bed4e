// cp.async (sm_80): copies from global to shared memory that run while the thread goes on.
//
//   async_copy<16>(shared, global);           16, 8 or 4 bytes; both addresses multiples of that
//   async_copy<16>(shared, global, valid);    only `valid` bytes are read, the rest is filled with zeros; valid = 0 reads nothing
//   async_copy_commit();                      what was issued since the last commit is one group
//   async_copy_wait<N>();                     until at most the N latest groups are still under way
//   async_copy_wait_all();                    until nothing is
//
// After a wait the copies are visible to the calling thread; __syncthreads makes them visible to the block. Copies of 16
// bytes bypass L1 (.cg), the smaller ones do not (.ca), as the hardware has it.
#pragma once

#include "kernels/cuda/device.cuh"

#if !defined(__CUDACC__)
#include "kernels/cuda/host/async_copies.h"
#endif

namespace innerloop::kernels::cuda {

#if defined(__CUDACC__)

template <int kBytes>
__device__ __forceinline__ void async_copy(void* shared, const void* global, int valid = kBytes) {
  static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16, "cp.async copies 4, 8 or 16 bytes");
  const auto target = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  if constexpr (kBytes == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(target), "l"(global), "r"(valid) : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(target), "l"(global), "n"(kBytes), "r"(valid)
                 : "memory");
  }
}
__device__ __forceinline__ void async_copy_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int kGroups>
__device__ __forceinline__ void async_copy_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kGroups) : "memory");
}
__device__ __forceinline__ void async_copy_wait_all() { asm volatile("cp.async.wait_all;" ::: "memory"); }

#else

template <int kBytes>
IL_DEVICE_PRIMITIVE void async_copy(void* shared, const void* global, int valid = kBytes,
                                    host_executor::Site site = host_executor::Site::here()) {
  static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16, "cp.async copies 4, 8 or 16 bytes");
  host_executor::copy_later(shared, global, kBytes, static_cast<unsigned>(valid), __builtin_return_address(0), site);
}
inline void async_copy_commit() { host_executor::commit_copies(); }
template <int kGroups>
inline void async_copy_wait() {
  host_executor::wait_copies(kGroups);
}
inline void async_copy_wait_all() { host_executor::wait_all_copies(); }

#endif

}  // namespace innerloop::kernels::cuda
