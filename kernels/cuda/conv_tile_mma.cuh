// A block's tile of the output on tensor cores: 32 x 32 sums a warp, or 32 x 16 where there are no more columns, in m16n8k8 products of
// TF32 operands.
//
// How operands are rounded or split, and products summed: mma_split.cuh.
//
// Fragments are read one float at a time straight from the staged tiles, in either layout without bank conflicts
// (conv_load.cuh), and split in registers. A warp reads 32 + 32 values for 1024 products of each k.
#pragma once

#include <concepts>

#include "kernels/cuda/conv_load.cuh"
#include "kernels/cuda/conv_own.h"
#include "kernels/cuda/mma_split.cuh"

namespace innerloop::kernels::cuda {

template <ConvMath kMath, int kWarpsM, int kWarpsN, Major kMajorA, Major kMajorB, int kWarpColumns = 32>
class MmaTile {
  static constexpr bool kSplit = kMath == ConvMath::kTf32x3;
  static constexpr int kWarpRows = 32;
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
    multiply(left, right, sum_);
  }

  /// The same into sums of the caller's, whose first kOwnM rows are the tile's: for warps that have another use for their registers.
  template <class Left, int kRows>
  __device__ __forceinline__ void multiply(const Left& left, const float* right, MmaAccumulator (&sum)[kRows][kOwnN]) const {
    static_assert(kRows >= kOwnM);
    // One step at a time where operands are split: fetching ahead into the second would spill its 24 parts.
#pragma unroll(kSplit ? 1 : kTileK / 8)
    for (int k = 0; k < kTileK; k += 8) {
      TfParts<MmaTf32B, kSplit> b[kOwnN];
#pragma unroll
      for (int j = 0; j < kOwnN; ++j) {
#pragma unroll
        for (int r = 0; r < 2; ++r) {
          b[j].set(r, right[moved_offset<kMajorB, kBlockN>(right_, j * 8, k + tf32_b_k(0, r))]);
        }
      }
#pragma unroll
      for (int i = 0; i < kOwnM; ++i) {
        TfParts<MmaTf32A, kSplit> a;
#pragma unroll
        for (int r = 0; r < 4; ++r) a.set(r, left(i * 16 + tf32_a_row(0, r), k + tf32_a_k(0, r)));
        multiply_row<kSplit>(a, b, sum[i]);
      }
    }
  }

  /// The first row of the thread's warp.
  __device__ __forceinline__ int first_row() const { return row_; }

  /// Calls visit(row, column, values) for each run of sums that the thread has.
  template <class Visit>
  __device__ __forceinline__ void for_each_run(const Visit& visit) const {
    for_each_run(visit, sum_);
  }
  template <class Visit, int kRows>
  __device__ __forceinline__ void for_each_run(const Visit& visit, const MmaAccumulator (&sum)[kRows][kOwnN]) const {
#pragma unroll
    for (int i = 0; i < kOwnM; ++i) {
#pragma unroll
      for (int j = 0; j < kOwnN; ++j) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const float run[kRun] = {sum[i][j].r[2 * half], sum[i][j].r[2 * half + 1]};
          visit(row_ + i * 16 + c_row(lane_, 2 * half), column_ + j * 8 + c_column(lane_, 2 * half), run);
        }
      }
    }
  }

 private:
  int lane_, row_, column_;
  int left_, right_;  ///< the offsets of the lane's first elements at k = 0
  MmaAccumulator sum_[kOwnM][kOwnN];
};

}  // namespace innerloop::kernels::cuda
