#include "tests/host_executor/sample_kernels.h"

#include "kernels/cuda/async_copy.cuh"
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/mma.cuh"
#include "tests/host_executor/block_sum.cuh"

namespace innerloop::tests {
namespace {

using namespace kernels::cuda;

__global__ void scale_add_kernel(float* y, const float* x, float a, float b, int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * 4;
  if (i + 4 <= n) {
    float4 v = ld4(x + i);
    v.x = a * v.x + b;
    v.y = a * v.y + b;
    v.z = a * v.z + b;
    v.w = a * v.w + b;
    st4(y + i, v);
  } else {
    for (int k = i; k < n; ++k) y[k] = a * x[k] + b;
  }
}

__global__ void partial_sums_kernel(float* partial, const float* x, int n) {
  float sum = 0.0f;
  const int stride = static_cast<int>(gridDim.x * blockDim.x);
  for (int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); i < n; i += stride) sum += x[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

__global__ void softmax_kernel(float* y, const float* x, int rows, int columns) {
  const int row = static_cast<int>(blockIdx.x * blockDim.y + threadIdx.y);
  if (row >= rows) return;  // whole warps leave, and no barrier follows
  const float* from = x + row * columns;
  const int lane = static_cast<int>(threadIdx.x);
  float largest = -INFINITY;
  for (int c = lane; c < columns; c += 32) largest = fmaxf(largest, from[c]);
  for (int offset = 16; offset > 0; offset /= 2) {
    largest = fmaxf(largest, __shfl_down_sync(kAllLanes, largest, static_cast<unsigned>(offset)));
  }
  largest = __shfl_sync(kAllLanes, largest, 0);
  float sum = 0.0f;
  for (int c = lane; c < columns; c += 32) sum += __expf(from[c] - largest);
  sum = warp_sum(sum);
  for (int c = lane; c < columns; c += 32) y[row * columns + c] = __expf(from[c] - largest) / sum;
}

__global__ void histogram_kernel(unsigned* bins, const unsigned* x, int n, unsigned bin_count) {
  IL_SHARED(unsigned, local, [64]);
  for (unsigned b = threadIdx.x; b < bin_count; b += blockDim.x) local[b] = 0;
  __syncthreads();
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) atomicAdd(&local[x[i] % bin_count], 1u);
  __syncthreads();
  for (unsigned b = threadIdx.x; b < bin_count; b += blockDim.x) atomicAdd(&bins[b], local[b]);
}

constexpr int kTile = 16;

__global__ void matmul_tiled_kernel(float* c, const float* a, const float* b, int m, int n, int k) {
  IL_DYNAMIC_SHARED(float, tiles);
  float* tile_a = tiles;                  // [kTile][kTile]
  float* tile_b = tiles + kTile * kTile;  // [kTile][kTile]
  const int tx = static_cast<int>(threadIdx.x), ty = static_cast<int>(threadIdx.y);
  const int row = static_cast<int>(blockIdx.y) * kTile + ty, column = static_cast<int>(blockIdx.x) * kTile + tx;
  float sum = 0.0f;
  for (int k0 = 0; k0 < k; k0 += kTile) {
    tile_a[ty * kTile + tx] = row < m && k0 + tx < k ? a[row * k + k0 + tx] : 0.0f;
    tile_b[ty * kTile + tx] = column < n && k0 + ty < k ? b[(k0 + ty) * n + column] : 0.0f;
    __syncthreads();
#pragma unroll
    for (int i = 0; i < kTile; ++i) sum += tile_a[ty * kTile + i] * tile_b[i * kTile + tx];
    __syncthreads();
  }
  if (row < m && column < n) c[row * n + column] = sum;
}

// One warp for a tile of 16 x 8; k in steps of 8, the next step's tiles under way while this one is multiplied.
__global__ void matmul_tf32_kernel(float* c, const float* a, const float* b, int n, int k) {
  IL_SHARED(float, tile_a, [2][16][8]);
  IL_SHARED(float, tile_b, [2][8][8]);
  const int lane = static_cast<int>(threadIdx.x);
  const int row0 = static_cast<int>(blockIdx.y) * 16, column0 = static_cast<int>(blockIdx.x) * 8;
  const auto fetch = [&](int step) {
    const int buffer = step % 2, k0 = step * 8;
    const int r = lane / 2, h = lane % 2 * 4;
    async_copy<16>(&tile_a[buffer][r][h], a + (row0 + r) * k + k0 + h);
    if (lane < 16) async_copy<16>(&tile_b[buffer][r][h], b + (k0 + r) * n + column0 + h);
    async_copy_commit();
  };
  MmaAccumulator sum{};
  const int steps = k / 8;
  fetch(0);
  for (int step = 0; step < steps; ++step) {
    if (step + 1 < steps) {
      fetch(step + 1);
      async_copy_wait<1>();
    } else {
      async_copy_wait<0>();
    }
    __syncthreads();
    MmaTf32A fragment_a;
    MmaTf32B fragment_b;
    for (int i = 0; i < 4; ++i) fragment_a.r[i] = to_tf32(tile_a[step % 2][tf32_a_row(lane, i)][tf32_a_k(lane, i)]);
    for (int i = 0; i < 2; ++i) fragment_b.r[i] = to_tf32(tile_b[step % 2][tf32_b_k(lane, i)][tf32_b_column(lane, i)]);
    mma_tf32(sum, fragment_a, fragment_b);
    __syncthreads();
  }
  for (int i = 0; i < 4; ++i) c[(row0 + c_row(lane, i)) * n + column0 + c_column(lane, i)] = sum.r[i];
}

__global__ void matmul_bf16_kernel(float* c, const std::uint16_t* a, const std::uint16_t* b, int n, int k) {
  IL_SHARED(std::uint16_t, tile_a, [16][16]);
  IL_SHARED(std::uint16_t, tile_b, [16][16]);  // 8 columns in use; two steps of k side by side would fill it
  const int lane = static_cast<int>(threadIdx.x);
  const int row0 = static_cast<int>(blockIdx.y) * 16, column0 = static_cast<int>(blockIdx.x) * 8;
  MmaAccumulator sum{};
  for (int k0 = 0; k0 < k; k0 += 16) {
    for (int i = lane; i < 256; i += 32) {
      tile_a[i / 16][i % 16] = a[(row0 + i / 16) * k + k0 + i % 16];
      tile_b[i / 16][i % 16] = i % 16 < 8 ? b[(k0 + i / 16) * n + column0 + i % 16] : std::uint16_t{0};
    }
    __syncwarp();
    // Matrix l / 8 of A: rows +8 for the odd ones, columns +8 for the later two. B is [k][n], hence transposed; its second
    // pair of matrices (the unused columns) is loaded and ignored.
    const int r = lane % 8 + lane / 8 % 2 * 8, h = lane / 16 * 8;
    MmaBf16A fragment_a;
    unsigned loaded_b[4];
    load_matrix_x4(fragment_a.r, &tile_a[r][h]);
    load_matrix_x4_transposed(loaded_b, &tile_b[r][h]);
    const MmaBf16B fragment_b{{loaded_b[0], loaded_b[1]}};
    mma_bf16(sum, fragment_a, fragment_b);
    __syncwarp();
  }
  for (int i = 0; i < 4; ++i) c[(row0 + c_row(lane, i)) * n + column0 + c_column(lane, i)] = sum.r[i];
}

__global__ void round_to_tf32_kernel(unsigned* out, const float* in, int n) {
  const int i = static_cast<int>(threadIdx.x);
  if (i < n) out[i] = to_tf32(in[i]);
}

__global__ void copy_through_shared_kernel(float* y, const float* x, int valid, CopyMode mode) {
  IL_SHARED(float, s, [2][128]);
  const unsigned t = threadIdx.x;
  for (unsigned half = 0; half < 2; ++half) {
    async_copy<16>(&s[half][4 * t], x + 128 * half + 4 * t, valid);
    async_copy_commit();
  }
  if (mode == CopyMode::kWaited) async_copy_wait<0>();
  if (mode == CopyMode::kOneGroupLeft) async_copy_wait<1>();
  for (unsigned half = 0; half < 2; ++half) st4(y + 128 * half + 4 * t, ld4(&s[half][4 * t]));
}

__global__ void warp_exchanges_kernel(unsigned* y) {
  const unsigned t = threadIdx.x;
  const unsigned v = 100 + t;
  y[0 * 32 + t] = __shfl_up_sync(kAllLanes, v, 3);
  y[1 * 32 + t] = __shfl_down_sync(kAllLanes, v, 3);
  y[2 * 32 + t] = __shfl_sync(kAllLanes, v, 5);
  y[3 * 32 + t] = __shfl_sync(kAllLanes, v, 5, 8);
  y[4 * 32 + t] = __ballot_sync(kAllLanes, t % 3 == 0);
  y[5 * 32 + t] = static_cast<unsigned>(__any_sync(kAllLanes, t == 7) * 2 + __all_sync(kAllLanes, t == 7));
  y[6 * 32 + t] = __reduce_add_sync(kAllLanes, v);
  y[7 * 32 + t] = __reduce_max_sync(kAllLanes, v);
}

__global__ void barrier_votes_kernel(int* y) {
  const int mine = threadIdx.x % 3 == 0 ? 7 : 0;
  const int count = __syncthreads_count(mine), any = __syncthreads_or(mine), all = __syncthreads_and(mine);
  if (threadIdx.x == 63) {
    y[0] = count;
    y[1] = any;
    y[2] = all;
  }
}

dim3 blocks_for(int n, int per_block) { return dim3(static_cast<unsigned>((n + per_block - 1) / per_block)); }
dim3 tiles_for(int columns, int rows) { return dim3(static_cast<unsigned>(columns), static_cast<unsigned>(rows)); }

}  // namespace

void scale_add(float* y, const float* x, float a, float b, int n, cudaStream_t stream) {
  launch(scale_add_kernel, blocks_for(n, 1024), dim3(256), 0, stream, y, x, a, b, n);
}

void partial_sums(float* partial, const float* x, int n, int blocks, cudaStream_t stream) {
  launch(partial_sums_kernel, dim3(static_cast<unsigned>(blocks)), dim3(256), 0, stream, partial, x, n);
}

void softmax_rows(float* y, const float* x, int rows, int columns, cudaStream_t stream) {
  launch(softmax_kernel, blocks_for(rows, 4), dim3(32, 4), 0, stream, y, x, rows, columns);
}

void histogram(unsigned* bins, const unsigned* x, int n, int bin_count, cudaStream_t stream) {
  launch(histogram_kernel, blocks_for(n, 128), dim3(128), 0, stream, bins, x, n, static_cast<unsigned>(bin_count));
}

void matmul_tiled(float* c, const float* a, const float* b, int m, int n, int k, cudaStream_t stream) {
  launch(matmul_tiled_kernel, tiles_for((n + kTile - 1) / kTile, (m + kTile - 1) / kTile), dim3(kTile, kTile),
         2 * kTile * kTile * sizeof(float), stream, c, a, b, m, n, k);
}

void matmul_tf32(float* c, const float* a, const float* b, int m, int n, int k, cudaStream_t stream) {
  launch(matmul_tf32_kernel, tiles_for(n / 8, m / 16), dim3(32), 0, stream, c, a, b, n, k);
}

void matmul_bf16(float* c, const std::uint16_t* a, const std::uint16_t* b, int m, int n, int k, cudaStream_t stream) {
  launch(matmul_bf16_kernel, tiles_for(n / 8, m / 16), dim3(32), 0, stream, c, a, b, n, k);
}

void round_to_tf32(unsigned* out, const float* in, int n, cudaStream_t stream) {
  launch(round_to_tf32_kernel, dim3(1), dim3(256), 0, stream, out, in, n);
}

void copy_through_shared(float* y, const float* x, int valid, CopyMode mode, cudaStream_t stream) {
  launch(copy_through_shared_kernel, dim3(1), dim3(32), 0, stream, y, x, valid, mode);
}

void warp_exchanges(unsigned* y, cudaStream_t stream) { launch(warp_exchanges_kernel, dim3(1), dim3(32), 0, stream, y); }

void barrier_votes(int* y, cudaStream_t stream) { launch(barrier_votes_kernel, dim3(1), dim3(64), 0, stream, y); }

}  // namespace innerloop::tests
