#include "kernels/cuda/memory.h"

#include "kernels/cuda/grid.h"
#include "kernels/cuda/launch.cuh"
#include "tensor/with_type.h"

namespace innerloop::kernels::cuda {
namespace {

template <class T>
__global__ void fill_kernel(T* to, std::int64_t n, T value) {
  grid_dependency_sync();
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride) to[i] = value;
}

template <class From, class To>
__global__ void cast_kernel(const From* from, To* to, std::int64_t n) {
  grid_dependency_sync();
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride)
    to[i] = static_cast<To>(from[i]);
}

}  // namespace

void fill_on(cudaStream_t stream, View to, double value) {
  const std::int64_t n = to.shape.numel();
  if (n == 0) return;
  with_type(to.dtype, [&]<class T>(T*) {
    launch(fill_kernel<T>, dim3(blocks_for(n)), dim3(kBlock), 0, stream, to.as<T>(), n, static_cast<T>(value));
  });
}

void cast_on(cudaStream_t stream, ConstView from, View to) {
  const std::int64_t n = to.shape.numel();
  IL_CHECK(from.shape == to.shape, "cast: {} into {}", from.shape.to_string(), to.shape.to_string());
  if (n == 0) return;
  with_type(from.dtype, [&]<class From>(From*) {
    with_type(to.dtype, [&]<class To>(To*) {
      launch(cast_kernel<From, To>, dim3(blocks_for(n)), dim3(kBlock), 0, stream, from.as<From>(), to.as<To>(), n);
    });
  });
}

}  // namespace innerloop::kernels::cuda
