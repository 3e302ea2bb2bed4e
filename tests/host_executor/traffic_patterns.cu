#include "tests/host_executor/traffic_patterns.h"

#include "kernels/cuda/async_copy.cuh"
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/launch.cuh"

namespace innerloop::tests {
namespace patterns {

using namespace kernels::cuda;

__global__ void strided_copy(float* y, const float* x, int stride, int offset) {
  y[threadIdx.x] = x[static_cast<int>(threadIdx.x) * stride + offset];
}

__global__ void broadcast_copy(float* y, const float* x) { y[threadIdx.x] = x[0]; }

__global__ void vector_copy(float* y, const float* x) {
  IL_SHARED(float, s, [128]);
  st4(s + 4 * threadIdx.x, ld4(x + 4 * threadIdx.x));
  st4(y + 4 * threadIdx.x, ld4(s + 4 * threadIdx.x));
}

__global__ void count_lanes(unsigned* sum) { atomicAdd(sum, 1u); }

template <int kRowLength>
__global__ void transpose_tile(float* y, const float* x) {
  IL_SHARED(float, tile, [32][kRowLength]);
  for (unsigned row = 0; row < 32; ++row) tile[row][threadIdx.x] = x[row * 32 + threadIdx.x];
  __syncthreads();
  for (unsigned row = 0; row < 32; ++row) y[row * 32 + threadIdx.x] = tile[threadIdx.x][row];
}

__global__ void shared_stride(float* y, int stride) {
  IL_SHARED(float, s, [64]);
  s[threadIdx.x] = 1.0f;
  s[threadIdx.x + 32] = 2.0f;
  __syncthreads();
  y[threadIdx.x] = s[threadIdx.x * static_cast<unsigned>(stride) % 64];
}

__global__ void ragged_rows(float* y, const float* x) {
  float sum = 0.0f;
  for (unsigned i = 0; i <= threadIdx.x % 4; ++i) sum += x[i * 32 + threadIdx.x];
  y[threadIdx.x] = sum;
}

__global__ void staged_copy(float* y, const float* x) {
  IL_SHARED(float, s, [128]);
  async_copy<16>(s + 4 * threadIdx.x, x + 4 * threadIdx.x);
  async_copy_wait_all();
  y[threadIdx.x] = s[4 * threadIdx.x];
}

}  // namespace patterns

void strided_copy(float* y, const float* x, int stride, int offset, cudaStream_t stream) {
  kernels::cuda::launch(patterns::strided_copy, dim3(1), dim3(32), 0, stream, y, x, stride, offset);
}
void broadcast_copy(float* y, const float* x, cudaStream_t stream) {
  kernels::cuda::launch(patterns::broadcast_copy, dim3(1), dim3(32), 0, stream, y, x);
}
void vector_copy(float* y, const float* x, cudaStream_t stream) {
  kernels::cuda::launch(patterns::vector_copy, dim3(1), dim3(32), 0, stream, y, x);
}
void count_lanes(unsigned* sum, cudaStream_t stream) {
  kernels::cuda::launch(patterns::count_lanes, dim3(1), dim3(32), 0, stream, sum);
}
void transpose_tile(float* y, const float* x, Padding padding, cudaStream_t stream) {
  const auto kernel = padding == Padding::kNone ? patterns::transpose_tile<32> : patterns::transpose_tile<33>;
  kernels::cuda::launch(kernel, dim3(1), dim3(32), 0, stream, y, x);
}
void shared_stride(float* y, int stride, cudaStream_t stream) {
  kernels::cuda::launch(patterns::shared_stride, dim3(1), dim3(32), 0, stream, y, stride);
}
void ragged_rows(float* y, const float* x, cudaStream_t stream) {
  kernels::cuda::launch(patterns::ragged_rows, dim3(1), dim3(32), 0, stream, y, x);
}
void staged_copy(float* y, const float* x, cudaStream_t stream) {
  kernels::cuda::launch(patterns::staged_copy, dim3(1), dim3(32), 0, stream, y, x);
}

}  // namespace innerloop::tests
