// Moments of a block's tile (conv_moments.h), taken behind its products.
//
// The tile is laid down in the shared memory that the products are done with, and a thread takes a unit of one channel from
// there: pixel by pixel, as any tile would. Taken in registers instead, the order would be that of the tile's lanes, and the
// large tile of tf32x3 has no registers to spare.
#pragma once

#include "kernels/cuda/conv_gemm.cuh"
#include "kernels/cuda/conv_moments.h"

namespace innerloop::kernels::cuda {

/// What a block does with its whole sums beside writing them. `to` null: nothing.
template <class T>
struct WriteMoments {
  static constexpr bool kTakesStep = false, kTakesMoments = true;
  T* to = nullptr;
  const T *y = nullptr, *mean = nullptr;  ///< null: the sums are no tangent
  int channels = 0;

  /// Of `tile`, which lies at `at` in the task's `pixels` and the group's `columns`. Every thread of the block calls it.
  template <class Tile>
  __device__ __forceinline__ void take(const Tile& tile, const TilePlace& at, int pixels, int columns, T* shared) const {
    constexpr int kUnit = static_cast<int>(kMomentPixels);
    if constexpr (Tile::kBlockM % kUnit == 0) {
      lay_down(tile, shared);  // behind its barriers `at` has been written
      const int task = at.out_task, channel = at.group_offset + at.first_column, left = columns - at.first_column;
      const int units = (pixels + kUnit - 1) / kUnit;
#pragma unroll 1
      for (int i = static_cast<int>(threadIdx.x); i < Tile::kBlockM / kUnit * Tile::kBlockN; i += Tile::kThreads) {
        const int column = i % Tile::kBlockN, row = i / Tile::kBlockN * kUnit, pixel = at.first_row + row;
        if (pixel >= pixels || column >= left) continue;
        const int count = pixels - pixel < kUnit ? pixels - pixel : kUnit;
        const T* const values = shared + row * kPitch<Tile> + column;
        const int lines = static_cast<int>(y == nullptr ? kOutputMoments : kTangentMoments);
        T* const out =
            to + (static_cast<std::int64_t>(task) * units + pixel / kUnit) * lines * channels + channel + column;
        if (y == nullptr) {
          about_mean<Tile>(values, count, out);
        } else {
          const std::int64_t first = (static_cast<std::int64_t>(task) * pixels + pixel) * channels + channel + column;
          sum_and_products<Tile>(values, y + first, mean[static_cast<std::int64_t>(task) * channels + channel + column],
                                 count, out);
        }
      }
    }
  }

 private:
  /// Elements from one row of the tile to the next in shared memory: rows that a warp writes together start in different banks.
  template <class Tile>
  static constexpr int kPitch = Tile::kBlockN + 8;

  template <class Tile>
  static __device__ __forceinline__ void lay_down(const Tile& tile, T* shared) {
    constexpr int kMost = static_cast<int>(16 / sizeof(T)), kTogether = Tile::kRun < kMost ? Tile::kRun : kMost;
    static_assert(Tile::kBlockM * kPitch<Tile> <= Tile::kStages * (Tile::kBlockM + Tile::kBlockN) * kTileK);
    __syncthreads();  // the last products may still be read
    tile.for_each_run([&](int row, int column, const T(&run)[Tile::kRun]) {
#pragma unroll
      for (int at = 0; at < Tile::kRun; at += kTogether) {
        Together<T, kTogether> values;
#pragma unroll
        for (int l = 0; l < kTogether; ++l) values.v[l] = run[at + l];
        store_as(shared + row * kPitch<Tile> + column + at, values);
      }
    });
    __syncthreads();
  }

  /// About the first value, then about the mean: neither cancels where the mean is large.
  template <class Tile>
  __device__ __forceinline__ void about_mean(const T* values, int count, T* out) const {
    const T first = values[0];
    T sum{0}, rest{0}, squares{0};
#pragma unroll 8
    for (int i = 0; i < count; ++i) sum += values[i * kPitch<Tile>] - first;
    const T middle = first + sum / static_cast<T>(count);
#pragma unroll 8
    for (int i = 0; i < count; ++i) {
      const T d = values[i * kPitch<Tile>] - middle;
      rest += d;
      squares += d * d;
    }
    out[0] = middle;
    out[channels] = rest;
    out[2 * channels] = squares;
  }

  template <class Tile>
  __device__ __forceinline__ void sum_and_products(const T* values, const T* of, T middle, int count, T* out) const {
    T sum{0}, products{0};
#pragma unroll 8
    for (int i = 0; i < count; ++i) {
      const T value = values[i * kPitch<Tile>];
      sum += value;
      products += value * (of[static_cast<std::int64_t>(i) * channels] - middle);
    }
    out[0] = sum;
    out[channels] = products;
  }
};

}  // namespace innerloop::kernels::cuda
