// Bandwidths: copies through the device's memory, and reads from its second-level cache.
#include <algorithm>
#include <cstring>

#include "bench/gpu_micro/measure.h"
#include "kernels/cuda/launch.cuh"

namespace innerloop::bench {
namespace {

using kernels::cuda::launch;

__host__ __device__ constexpr unsigned value_at(std::size_t i) { return static_cast<unsigned>(i) * 2654435761u; }

__global__ void fill_with_index(unsigned* out, std::size_t count) {
  const std::size_t step = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step) out[i] = value_at(i);
}

__global__ void copy_vectors(const float4* __restrict__ from, float4* __restrict__ to, std::size_t count) {
  const std::size_t step = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step) to[i] = from[i];
}

/// Sums of all elements, past the first-level cache. A thread reads each time what another has read before.
__global__ void __launch_bounds__(256) read_again(const uint4* from, std::size_t count, int rounds, unsigned* sums) {
  const std::size_t step = std::size_t{gridDim.x} * blockDim.x, first = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x;
  unsigned sum = 0;
  for (int r = 0; r < rounds; ++r) {
    const std::size_t start = (first + static_cast<std::size_t>(r) * blockDim.x * 7) % step;
#pragma unroll 8
    for (std::size_t i = start; i < count; i += step) {
      const uint4 v = __ldcg(from + i);
      sum += v.x + v.y + v.z + v.w;
    }
  }
  atomicAdd(sums, sum);  // whole numbers: any order gives the same
}

}  // namespace

Figures measure_copies(Timer& timer, const Effort& effort, const Card& card) {
  const std::size_t bytes = effort.copy_bytes, vectors = bytes / sizeof(float4);
  Buffer<float4> from(vectors), to(vectors);
  const int blocks = card.multiprocessors * 16;
  launch(fill_with_index, dim3(blocks), dim3(256), 0, timer.stream(), reinterpret_cast<unsigned*>(from.data()),
         bytes / sizeof(unsigned));
  const double memcpy_ms = timer.milliseconds(effort.repeats, [&] {
    IL_CUDA_CHECK(cudaMemcpyAsync(to.data(), from.data(), bytes, cudaMemcpyDeviceToDevice, timer.stream()));
  });
  IL_CUDA_CHECK(cudaMemsetAsync(to.data(), 0, bytes, timer.stream()));
  const double kernel_ms = timer.milliseconds(
      effort.repeats,
      [&] { launch(copy_vectors, dim3(blocks), dim3(256), 0, timer.stream(), from.data(), to.data(), vectors); });
  const auto a = from.first(1024), b = to.first(1024);
  IL_CHECK(std::memcmp(a.data(), b.data(), a.size() * sizeof(float4)) == 0, "gpu_micro: the copy is not what was copied");
  const double moved = 2.0 * static_cast<double>(bytes);
  return {{"memcpy_tb_s", moved / (memcpy_ms * 1e-3) * 1e-12}, {"copy_tb_s", moved / (kernel_ms * 1e-3) * 1e-12}};
}

Figures measure_cache(Timer& timer, const Effort& effort, const Card& card) {
  // A quarter of the cache, in whole strides of the grid.
  const int blocks = card.multiprocessors * 8, threads = 256, rounds = std::max(16, effort.rounds / 32);
  const std::size_t stride = static_cast<std::size_t>(blocks) * threads;
  const std::size_t vectors = std::max<std::size_t>(1, card.cache_bytes / 4 / sizeof(uint4) / stride) * stride;
  Buffer<uint4> from(vectors);
  Buffer<unsigned> sums(1);
  launch(fill_with_index, dim3(blocks), dim3(threads), 0, timer.stream(), reinterpret_cast<unsigned*>(from.data()), vectors * 4);
  IL_CUDA_CHECK(cudaMemsetAsync(sums.data(), 0, sizeof(unsigned), timer.stream()));
  const double ms = timer.milliseconds(effort.repeats, [&] {
    launch(read_again, dim3(blocks), dim3(threads), 0, timer.stream(), from.data(), vectors, rounds, sums.data());
  });
  unsigned once = 0;
  for (std::size_t i = 0; i < vectors * 4; ++i) once += value_at(i);
  const unsigned expected = once * static_cast<unsigned>(rounds) * static_cast<unsigned>(effort.repeats + 2), got = sums.first(1)[0];
  IL_CHECK(got == expected, "gpu_micro: reads from the cache added up to {} and should to {}", got, expected);
  return {{"l2_read_tb_s", static_cast<double>(vectors) * sizeof(uint4) * rounds / (ms * 1e-3) * 1e-12}};
}

}  // namespace innerloop::bench
