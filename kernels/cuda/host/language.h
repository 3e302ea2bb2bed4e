// CUDA's language on a CPU: keywords, built-in variables, shared memory, barriers, vector accesses. Included by device.cuh.
#pragma once

// The toolkit's headers give types and the runtime's prototypes; nothing of the toolkit is linked.
#include <cuda_runtime_api.h>
#include <vector_functions.h>
#include <vector_types.h>

#include <cstring>

#include "kernels/cuda/host/primitive.h"
#include "kernels/cuda/host/shared_memory.h"

#undef __global__
#undef __device__
#undef __host__
#undef __shared__
#undef __constant__
#undef __launch_bounds__
#undef __grid_constant__
#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __launch_bounds__(...)
#define __grid_constant__
// __shared__ stays undefined: a plain static would be neither poisoned nor checked. IL_SHARED is the way.

// Plain variables that every switch of threads sets; a debugger prints them.
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
inline constexpr int warpSize = 32;

#define IL_SHARED(type, name, ...)                                                                     \
  static constinit ::innerloop::host_executor::SharedVariable il_shared_##name{                        \
      #name, sizeof(type __VA_ARGS__), alignof(type)};                                                 \
  auto& name = *static_cast<type(*) __VA_ARGS__>(::innerloop::host_executor::shared_variable(il_shared_##name))
#define IL_DYNAMIC_SHARED(type, name) type* const name = static_cast<type*>(::innerloop::host_executor::dynamic_shared())

namespace innerloop::host_executor {

[[noreturn]] void report_misaligned(const void* memory, std::size_t alignment, const char* what, Site site);
/// Throws KernelError (kMisaligned) unless `memory` is a multiple of `alignment`. Inlined: vector accesses are what tiles do most.
[[gnu::always_inline]] inline void require_aligned(const void* memory, std::size_t alignment, const char* what, Site site) {
  if (reinterpret_cast<std::uintptr_t>(memory) % alignment != 0) report_misaligned(memory, alignment, what, site);
}
[[noreturn]] void trap(Site site);
/// A thread sleeps until another has done something: throws KernelError. Blocks run one after another, so that one which has to wait here waits
/// for a block that starts after it, and a device with no room for that one would wait for ever.
[[noreturn]] void sleep_for_another(Site site);

// One instruction each, whatever the compiler makes of the copy.
template <class Value>
IL_DEVICE_PRIMITIVE Value read_value(const void* memory) {
  observe(memory, sizeof(Value), Access::kRead, __builtin_return_address(0));
  Value value;
  std::memcpy(&value, memory, sizeof value);
  return value;
}

template <class Value>
IL_DEVICE_PRIMITIVE void write_value(void* memory, const Value& value) {
  observe(memory, sizeof(Value), Access::kWrite, __builtin_return_address(0));
  std::memcpy(memory, &value, sizeof value);
}

}  // namespace innerloop::host_executor

namespace innerloop::kernels::cuda {
inline void grid_dependency_sync() { host_executor::await_grid(); }
}  // namespace innerloop::kernels::cuda

// ---------------------------------------------------------------------------------------------------- barriers and fences
inline void __syncthreads(innerloop::host_executor::Site site = innerloop::host_executor::Site::here()) {
  innerloop::host_executor::block_barrier(0, site);
}
inline int __syncthreads_count(int predicate,
                               innerloop::host_executor::Site site = innerloop::host_executor::Site::here()) {
  return innerloop::host_executor::block_barrier(predicate, site);
}
inline int __syncthreads_or(int predicate,
                            innerloop::host_executor::Site site = innerloop::host_executor::Site::here()) {
  return innerloop::host_executor::block_barrier(predicate, site) != 0 ? 1 : 0;
}
inline int __syncthreads_and(int predicate,
                             innerloop::host_executor::Site site = innerloop::host_executor::Site::here()) {
  return innerloop::host_executor::block_barrier(predicate == 0 ? 1 : 0, site) == 0 ? 1 : 0;
}
inline void __threadfence() { innerloop::host_executor::memory_fence(); }
inline void __threadfence_system() { innerloop::host_executor::memory_fence(); }
inline void __threadfence_block() {}
[[noreturn]] inline void __nanosleep(unsigned, innerloop::host_executor::Site site = innerloop::host_executor::Site::here()) {
  innerloop::host_executor::sleep_for_another(site);
}
[[noreturn]] inline void __trap(innerloop::host_executor::Site site = innerloop::host_executor::Site::here()) {
  innerloop::host_executor::trap(site);
}

namespace innerloop::kernels::cuda {

/// One vector load or store of sizeof(V) = 2, 4, 8 or 16 bytes. `memory` must be aligned to that size.
template <class V>
[[gnu::always_inline]] inline V load_as(const void* memory, host_executor::Site site = host_executor::Site::here()) {
  host_executor::require_aligned(memory, sizeof(V), "vector load", site);
  return host_executor::read_value<V>(memory);
}
template <class V>
[[gnu::always_inline]] inline void store_as(void* memory, const V& value,
                                            host_executor::Site site = host_executor::Site::here()) {
  host_executor::require_aligned(memory, sizeof(V), "vector store", site);
  host_executor::write_value(memory, value);
}
[[gnu::always_inline]] inline float4 ld4(const float* memory, host_executor::Site site = host_executor::Site::here()) {
  return load_as<float4>(memory, site);
}
[[gnu::always_inline]] inline void st4(float* memory, float4 value,
                                       host_executor::Site site = host_executor::Site::here()) {
  store_as(memory, value, site);
}
[[gnu::always_inline]] inline float2 ld2(const float* memory, host_executor::Site site = host_executor::Site::here()) {
  return load_as<float2>(memory, site);
}
[[gnu::always_inline]] inline void st2(float* memory, float2 value,
                                       host_executor::Site site = host_executor::Site::here()) {
  store_as(memory, value, site);
}

}  // namespace innerloop::kernels::cuda
