// A block's tile of the output in plain multiply-adds: 8 x 8 (or 8 x 4) sums a thread, f32 or f64.
//
// A thread reads both operands four k at a time in vectors: eight rows share each vector of the right operand and the
// other way round, which balances shared memory's 128 bytes a cycle with the multiply-adds. Which rows and columns a
// thread owns follows from the layout: eight lanes read eight neighbouring rows, or one row's neighbouring vectors,
// without bank conflicts.
#pragma once

#include "kernels/cuda/conv_load.cuh"

namespace innerloop::kernels::cuda {

__device__ __forceinline__ void read_four(const float* from, float (&to)[4]) {
  const float4 v = ld4(from);
  to[0] = v.x, to[1] = v.y, to[2] = v.z, to[3] = v.w;
}
__device__ __forceinline__ void read_four(const double* from, double (&to)[4]) {
  const auto low = load_as<double2>(from), high = load_as<double2>(from + 2);
  to[0] = low.x, to[1] = low.y, to[2] = high.x, to[3] = high.y;
}

template <class T, int kRows, int kColumns, Major kMajorA, Major kMajorB, int kOwnM = 8, int kLanesN = 8>
class FfmaTile {
  static constexpr int kLanesM = kRows / kOwnM, kOwnN = kColumns / kLanesN;

 public:
  using Element = T;
  static constexpr int kBlockM = kRows, kBlockN = kColumns, kThreads = kLanesM * kLanesN, kStages = 3;
  static constexpr int kBlocksSm = sizeof(T) == 8 ? 5 : kThreads == 128 ? 2 : 6;  ///< on a multiprocessor, by registers
  static constexpr Major kLeft = kMajorA, kRight = kMajorB;
  /// Neighbouring columns that one thread has side by side.
  static constexpr int kRun = kMajorB == Major::kAcrossK ? 4 : 1;

  __device__ __forceinline__ explicit FfmaTile(int thread)
      : tx_(thread % kLanesN),
        ty_(thread / kLanesN),
        left_(tile_offset<kMajorA, kRows>(place<kMajorA, kLanesM>(ty_, 0), 0)),
        right_(tile_offset<kMajorB, kColumns>(place<kMajorB, kLanesN>(tx_, 0), 0)) {}

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int i = 0; i < kOwnM; ++i) {
#pragma unroll
      for (int j = 0; j < kOwnN; ++j) sum_[i][j] = T{0};
    }
  }

  /// Adds the product of two staged tiles, k ascending.
  __device__ __forceinline__ void multiply(const T* left, const T* right) {
#pragma unroll 1  // fetching further ahead costs registers
    for (int k = 0; k < kTileK; k += 4) {
      T a[kOwnM][4], b[kOwnN][4];
      read<kMajorA, kRows, kLanesM>(left, left_, k, a);
      read<kMajorB, kColumns, kLanesN>(right, right_, k, b);
#pragma unroll
      for (int kk = 0; kk < 4; ++kk) {
#pragma unroll
        for (int i = 0; i < kOwnM; ++i) {
#pragma unroll
          for (int j = 0; j < kOwnN; ++j) sum_[i][j] += a[i][kk] * b[j][kk];
        }
      }
    }
  }

  /// Calls visit(row, column, values) for each run of sums that the thread has.
  template <class Visit>
  __device__ __forceinline__ void for_each_run(const Visit& visit) const {
#pragma unroll
    for (int i = 0; i < kOwnM; ++i) {
#pragma unroll
      for (int j = 0; j < kOwnN; j += kRun) {
        T run[kRun];
#pragma unroll
        for (int l = 0; l < kRun; ++l) run[l] = sum_[i][j + l];
        visit(place<kMajorA, kLanesM>(ty_, i), place<kMajorB, kLanesN>(tx_, j), run);
      }
    }
  }

 private:
  template <Major kMajor, int kLanes>
  static __device__ __forceinline__ int place(int lane, int i) {
    if constexpr (kMajor == Major::kAlongK) return lane + i * kLanes;
    return i / 4 * 4 * kLanes + lane * 4 + i % 4;
  }

  /// The thread's rows (or columns) at k, k + 1, k + 2, k + 3.
  template <Major kMajor, int kOuter, int kLanes, int kOwn>
  static __device__ __forceinline__ void read(const T* tile, int base, int k, T (&to)[kOwn][4]) {
    if constexpr (kMajor == Major::kAlongK) {
#pragma unroll
      for (int i = 0; i < kOwn; ++i) read_four(tile + moved_offset<kMajor, kOuter>(base, i * kLanes, k), to[i]);
    } else {
#pragma unroll
      for (int kk = 0; kk < 4; ++kk) {
#pragma unroll
        for (int i = 0; i < kOwn; i += 4) {
          T v[4];
          read_four(tile + moved_offset<kMajor, kOuter>(base, i * kLanes, kk) + k * kOuter, v);
#pragma unroll
          for (int l = 0; l < 4; ++l) to[i + l][kk] = v[l];
        }
      }
    }
  }

  int tx_, ty_;
  int left_, right_;  ///< the offsets of the thread's first row and column, at k = 0
  T sum_[kOwnM][kOwnN];
};

}  // namespace innerloop::kernels::cuda
