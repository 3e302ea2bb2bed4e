// A block's tile of the output on tensor cores: 32 x 32 sums a warp, in m16n8k8 products of TF32 operands.
//
//   kTf32     each operand is rounded to TF32
//   kTf32x3   each operand is split into a TF32 part and the TF32 of what remains, together its 24 bits but for the
//             last; three of the four products are taken, the small ones first. The tensor core truncates as it adds,
//             which would drift with the length of the sum; so the three products of each step of eight k start from
//             zero, and their sum is added to the accumulator by an ordinary addition, rounded to nearest.
//
// An infinite operand has no remainder and makes a NaN in kTf32x3, where multiply-adds may keep the infinity.
//
// Fragments are read one float at a time straight from the staged tiles, in either layout without bank conflicts
// (conv_load.cuh), and split in registers. A warp reads 32 + 32 values for 1024 products of each k.
#pragma once

#include <concepts>

#include "kernels/cuda/conv_load.cuh"
#include "kernels/cuda/conv_own.h"
#include "kernels/cuda/mma.cuh"

namespace innerloop::kernels::cuda {

template <ConvMath kMath, int kWarpsM, int kWarpsN, Major kMajorA, Major kMajorB>
class MmaTile {
  static constexpr bool kSplit = kMath == ConvMath::kTf32x3;
  static constexpr int kWarpRows = 32, kWarpColumns = 32;
  static constexpr int kOwnM = kWarpRows / 16, kOwnN = kWarpColumns / 8;  ///< products of a warp each way

 public:
  using Element = float;
  static constexpr int kBlockM = kWarpsM * kWarpRows, kBlockN = kWarpsN * kWarpColumns;
  static constexpr int kThreads = 32 * kWarpsM * kWarpsN, kStages = 4;
  static constexpr int kBlocksSm = kThreads == 256 ? 2 : 6;  ///< on a multiprocessor: 128 and 168 registers a thread
  static constexpr Major kLeft = kMajorA, kRight = kMajorB;
  static constexpr int kRun = 2;

  __device__ __forceinline__ explicit MmaTile(int thread)
      : lane_(thread % 32),
        row_(thread / 32 % kWarpsM * kWarpRows),
        column_(thread / 32 / kWarpsM * kWarpColumns),
        left_(tile_offset<kMajorA, kBlockM>(row_ + tf32_a_row(lane_, 0), tf32_a_k(lane_, 0))),
        right_(tile_offset<kMajorB, kBlockN>(column_ + tf32_b_column(lane_, 0), tf32_b_k(lane_, 0))) {}

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int i = 0; i < kOwnM; ++i) {
#pragma unroll
      for (int j = 0; j < kOwnN; ++j) sum_[i][j] = MmaAccumulator{};
    }
  }

  /// Adds the product of two staged tiles, k ascending.
  __device__ __forceinline__ void multiply(const float* left, const float* right) {
    multiply([&](int row_step, int k_step) { return left[moved_offset<kMajorA, kBlockM>(left_, row_step, k_step)]; }, right);
  }

  /// The same with a left operand that lies otherwise: left(row_step, k_step) is its element at these distances, known when compiling,
  /// from row first_row() + tf32_a_row(lane, 0) and k tf32_a_k(lane, 0).
  template <class Left>
    requires std::invocable<Left, int, int>
  __device__ __forceinline__ void multiply(const Left& left, const float* right) {
    // One step at a time where operands are split: fetching ahead into the second would spill its 24 parts.
#pragma unroll(kSplit ? 1 : kTileK / 8)
    for (int k = 0; k < kTileK; k += 8) {
      Parts<MmaTf32B, 2> b[kOwnN];
#pragma unroll
      for (int j = 0; j < kOwnN; ++j) {
#pragma unroll
        for (int r = 0; r < 2; ++r) {
          b[j].set(r, right[moved_offset<kMajorB, kBlockN>(right_, j * 8, k + tf32_b_k(0, r))]);
        }
      }
#pragma unroll
      for (int i = 0; i < kOwnM; ++i) {
        Parts<MmaTf32A, 4> a;
#pragma unroll
        for (int r = 0; r < 4; ++r) a.set(r, left(i * 16 + tf32_a_row(0, r), k + tf32_a_k(0, r)));
        multiply_row(a, b, sum_[i]);
      }
    }
  }

  /// The first row of the thread's warp.
  __device__ __forceinline__ int first_row() const { return row_; }

  /// Calls visit(row, column, values) for each run of sums that the thread has.
  template <class Visit>
  __device__ __forceinline__ void for_each_run(const Visit& visit) const {
#pragma unroll
    for (int i = 0; i < kOwnM; ++i) {
#pragma unroll
      for (int j = 0; j < kOwnN; ++j) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const float run[kRun] = {sum_[i][j].r[2 * half], sum_[i][j].r[2 * half + 1]};
          visit(row_ + i * 16 + c_row(lane_, 2 * half), column_ + j * 8 + c_column(lane_, 2 * half), run);
        }
      }
    }
  }

 private:
  /// An operand's registers; `low` is what the rounding of `high` left.
  template <class Fragment, int kCount>
  struct Parts {
    Fragment high, low;
    __device__ __forceinline__ void set(int r, float value) {
      high.r[r] = to_tf32(value);
      if constexpr (kSplit) low.r[r] = to_tf32(value - __uint_as_float(high.r[r]));
    }
  };

  /// One row of products, two at a time: neither waits for the other, and more would not fit the registers.
  static __device__ __forceinline__ void multiply_row(const Parts<MmaTf32A, 4>& a, const Parts<MmaTf32B, 2> (&b)[kOwnN],
                                                      MmaAccumulator (&sum)[kOwnN]) {
    if constexpr (kSplit) {
#pragma unroll
      for (int j = 0; j < kOwnN; j += 2) {
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
      for (int j = 0; j < kOwnN; ++j) mma_tf32(sum[j], a.high, b[j].high);
    }
  }

  int lane_, row_, column_;
  int left_, right_;  ///< the offsets of the lane's first elements at k = 0
  MmaAccumulator sum_[kOwnM][kOwnN];
};

}  // namespace innerloop::kernels::cuda
