// Access patterns with known traffic. One block of 32 threads each.
#pragma once

#include <cuda_runtime_api.h>

namespace innerloop::tests {

/// y[i] = x[i * stride + offset]; kernel name strided_copy.
void strided_copy(float* y, const float* x, int stride, int offset, cudaStream_t stream);
/// y[i] = x[0]; kernel name broadcast_copy.
void broadcast_copy(float* y, const float* x, cudaStream_t stream);
/// Four floats a lane by ld4 and st4, directly and through shared memory; kernel name vector_copy.
void vector_copy(float* y, const float* x, cudaStream_t stream);
/// *sum += 1 by each lane; kernel name count_lanes.
void count_lanes(unsigned* sum, cudaStream_t stream);
/// Transposes x [32][32] through a shared tile of row length 32 or, padded, 33; kernel names transpose_tile<32>, <33>.
enum class Padding { kNone, kOneColumn };
void transpose_tile(float* y, const float* x, Padding padding, cudaStream_t stream);
/// Each lane reads shared word lane * stride % 64; kernel name shared_stride.
void shared_stride(float* y, int stride, cudaStream_t stream);
/// Lane l reads l % 4 + 1 words of x: lanes diverge in a loop; kernel name ragged_rows.
void ragged_rows(float* y, const float* x, cudaStream_t stream);
/// One async_copy<16> a lane; kernel name staged_copy.
void staged_copy(float* y, const float* x, cudaStream_t stream);

}  // namespace innerloop::tests
