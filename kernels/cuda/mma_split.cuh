// Tensor-core products of float32 operands, by the mode of a convolution (conv_own.h).
//
//   kTf32     each operand is rounded to TF32
//   kTf32x3   each operand is split into a TF32 part and the TF32 of what remains, together its 24 bits but for the
//             last; three of the four products are taken, the small ones first. The tensor core truncates as it adds,
//             which would drift with the length of the sum; so the three products of each step of eight k start from
//             zero, and their sum is added to the accumulator by an ordinary addition, rounded to nearest.
//
// An infinite operand has no remainder and makes a NaN in kTf32x3, where multiply-adds may keep the infinity.
#pragma once

#include "kernels/cuda/mma.cuh"

namespace innerloop::kernels::cuda {

/// An operand's registers; `low` is what the rounding of `high` left.
template <class Fragment, bool kSplit>
struct TfParts {
  Fragment high, low;
  __device__ __forceinline__ void set(int r, float value) {
    high.r[r] = to_tf32(value);
    if constexpr (kSplit) low.r[r] = to_tf32(value - __uint_as_float(high.r[r]));
  }
};

/// One row of products, two at a time: neither waits for the other, and more would not fit the registers.
template <bool kSplit, int kCount>
__device__ __forceinline__ void multiply_row(const TfParts<MmaTf32A, kSplit>& a, const TfParts<MmaTf32B, kSplit> (&b)[kCount],
                                             MmaAccumulator (&sum)[kCount]) {
  if constexpr (kSplit) {
#pragma unroll
    for (int j = 0; j < kCount; j += 2) {
      MmaAccumulator step[2] = {};
#pragma unroll
      for (int l = 0; l < 2; ++l) mma_tf32(step[l], a.low, b[j + l].high);
#pragma unroll
      for (int l = 0; l < 2; ++l) mma_tf32(step[l], a.high, b[j + l].low);
#pragma unroll
      for (int l = 0; l < 2; ++l) mma_tf32(step[l], a.high, b[j + l].high);
#pragma unroll
      for (int l = 0; l < 2; ++l) {
#pragma unroll
        for (int r = 0; r < 4; ++r) sum[j + l].r[r] += step[l].r[r];
      }
    }
  } else {
#pragma unroll
    for (int j = 0; j < kCount; ++j) mma_tf32(sum[j], a.high, b[j].high);
  }
}

}  // namespace innerloop::kernels::cuda
