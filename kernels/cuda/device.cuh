// The only CUDA header that a kernel source includes (with mma.cuh and async_copy.cuh, which build on it).
//
// Under nvcc it is CUDA itself. Under g++, with IL_HOST_EXECUTOR defined, it is the same language run on a CPU (host/): the
// kernel source does not change. Both give:
//   IL_SHARED(type, name, [dims])    a shared variable or array, 16-byte aligned:  IL_SHARED(float, tile, [64][17]);
//   IL_DYNAMIC_SHARED(type, name)    type* name = the dynamic shared memory of the launch, 16-byte aligned
//   ld4, st4, ld2, st2               float4 and float2 accesses; the address must be aligned to 16 or 8 bytes
//   load_as<V>, store_as             the same for any V of 2, 4, 8 or 16 bytes
//   load_relaxed(counter)            a counter that atomics of other blocks change, read where it is; orders nothing without a fence
//   grid_dependency_sync()           a kernel's first statement: what the kernels before it in the stream wrote is there
//                                    (launch_overlap.h)
//
// Rules for kernels: grid_dependency_sync() before anything else; no __shared__ and no <<<>>> (launch.cuh); no cooperative groups, clusters, textures, __restrict__ or
// __ldg() (the next kernel is there while this one still writes what it will read), __activemask() or
// waiting for another block but by the places of stages.cuh; every thread of a block reaches every barrier; masks name exactly the lanes that call; kernel
// locals have trivial destructors.
#pragma once

#if defined(__CUDACC__)

#include <cuda_runtime.h>

#define IL_SHARED(type, name, ...) __shared__ __align__(16) type name __VA_ARGS__
#define IL_DYNAMIC_SHARED(type, name)                                    \
  extern __shared__ __align__(16) unsigned char il_dynamic_shared_memory[]; \
  type* const name = reinterpret_cast<type*>(il_dynamic_shared_memory)

namespace innerloop::kernels::cuda {

__device__ __forceinline__ void grid_dependency_sync() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");  // all blocks of this kernel have places: the next may come
#endif
}

__device__ __forceinline__ unsigned load_relaxed(const unsigned* counter) {
  unsigned value;
  asm volatile("ld.relaxed.gpu.global.u32 %0, [%1];" : "=r"(value) : "l"(counter) : "memory");
  return value;
}

template <class V>
__device__ __forceinline__ V load_as(const void* memory) {
  return *static_cast<const V*>(memory);
}
template <class V>
__device__ __forceinline__ void store_as(void* memory, const V& value) {
  *static_cast<V*>(memory) = value;
}
__device__ __forceinline__ float4 ld4(const float* memory) { return load_as<float4>(memory); }
__device__ __forceinline__ void st4(float* memory, float4 value) { store_as(memory, value); }
__device__ __forceinline__ float2 ld2(const float* memory) { return load_as<float2>(memory); }
__device__ __forceinline__ void st2(float* memory, float2 value) { store_as(memory, value); }

}  // namespace innerloop::kernels::cuda

#elif defined(IL_HOST_EXECUTOR)

#include "kernels/cuda/host/atomics.h"
#include "kernels/cuda/host/intrinsics.h"
#include "kernels/cuda/host/language.h"
#include "kernels/cuda/host/warp.h"

#else
#error "kernels/cuda/device.cuh: compile with nvcc, or through il_add_executed_kernels() for the host executor"
#endif
