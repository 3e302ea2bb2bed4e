// Sample kernels of the usual kinds, as the executor's self-test. All pointers are device memory; launches go to `stream`.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace innerloop::tests {

/// y[i] = a * x[i] + b, four at a time; x and y 16-byte aligned.
void scale_add(float* y, const float* x, float a, float b, int n, cudaStream_t stream);
/// partial[k] = sum of the part of x that block k takes.
void partial_sums(float* partial, const float* x, int n, int blocks, cudaStream_t stream);
/// Softmax of each row, one warp a row.
void softmax_rows(float* y, const float* x, int rows, int columns, cudaStream_t stream);
/// bins[x[i] % bins]++ through shared and then global atomics.
void histogram(unsigned* bins, const unsigned* x, int n, int bin_count, cudaStream_t stream);
/// C[m,n] = A[m,k] B[k,n], tiles in dynamic shared memory; any sizes.
void matmul_tiled(float* c, const float* a, const float* b, int m, int n, int k, cudaStream_t stream);
/// The same on tensor cores in TF32; tiles by async_copy, double-buffered. m % 16 == n % 8 == k % 8 == 0.
void matmul_tf32(float* c, const float* a, const float* b, int m, int n, int k, cudaStream_t stream);
/// C[m,n] = A[m,k] B[k,n] of bfloat16 (bit patterns) by load_matrix_x4 and mma_bf16; m % 16 == n % 8 == k % 16 == 0.
void matmul_bf16(float* c, const std::uint16_t* a, const std::uint16_t* b, int m, int n, int k, cudaStream_t stream);

/// out = what to_tf32 makes of the bits of in.
void round_to_tf32(unsigned* out, const float* in, int n, cudaStream_t stream);

enum class CopyMode { kWaited, kNotWaited, kOneGroupLeft };
/// Copies 2 x 32 x 4 floats to shared memory by async_copy<16> in two groups, with `valid` bytes of each 16, and on to y.
void copy_through_shared(float* y, const float* x, int valid, CopyMode mode, cudaStream_t stream);

/// y[i] for one warp: shuffles (up, down, broadcast, width 8), votes and reductions; 8 results a lane, laid out [8][32].
void warp_exchanges(unsigned* y, cudaStream_t stream);
/// y = how many threads of a block of 64 have an index that divides by 3, whether any, whether all.
void barrier_votes(int* y, cudaStream_t stream);

}  // namespace innerloop::tests
