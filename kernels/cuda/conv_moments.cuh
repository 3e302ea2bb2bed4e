// Moments of a block's tile (conv_moments.h), taken behind its products.
//
// The tile is laid down in the shared memory that the products are done with, and a thread takes a unit of one channel from
// there: pixel by pixel, as any tile would. Taken in registers instead, the order would be that of the tile's lanes, and the
// large tile of tf32x3 has no registers to spare.
#pragma once

#include "kernels/cuda/conv_gemm.cuh"
#include "kernels/cuda/conv_index.cuh"
#include "kernels/cuda/conv_moments.h"

namespace innerloop::kernels::cuda {

/// What a block does with its whole sums beside writing them. `to` null: nothing.
template <class T>
struct WriteMoments {
  static constexpr bool kTakesStep = false, kTakesMoments = true;
  T* to = nullptr;
  const T *y = nullptr, *mean = nullptr;  ///< null: the sums are no tangent
  int channels = 0;

  /// Of `tile`, which lies at `at` in the task's `pixels`, taken in `order`, and the group's `columns`. Every thread of the block calls it.
  template <class Tile>
  __device__ __forceinline__ void take_rows(const Tile& tile, const TilePlace& at, int pixels, int columns, const WindowOrder& order,
                                            T* shared) const {
    constexpr int kUnit = static_cast<int>(kMomentPixels);
    if constexpr (Tile::kBlockM % kUnit == 0) {
      static_assert(shared_floats<Tile>() <= std::size_t{Tile::kStages} * (Tile::kBlockM + Tile::kBlockN) * kTileK);
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
          about_mean<Tile>(values, 1, count, out);
        } else {
          const T* const of = y + static_cast<std::int64_t>(task) * pixels * channels + channel + column;
          sum_and_products_of_rows<Tile>(values, of, order, pixel, mean[static_cast<std::int64_t>(task) * channels + channel + column],
                                         count, out);
        }
      }
    }
  }

  /// Where a tile of an image is (conv_spatial.h).
  struct ImageTile {
    int task, first_column, columns;  ///< columns: those that are left
    std::int64_t units;               ///< of the task
    int unit;                         ///< the first of the tile's two
    int rows, row_pixels;             ///< pixels of the image that are left, down and along the row
    std::int64_t pixel;               ///< the first of the tile in the task
    int line;                         ///< pixels of a row
    std::int64_t pixels;              ///< of the task
  };

  /// Of a tile that lies row by row; behind it the y of a tangent's is laid down, too. Every thread of the block calls it.
  template <class Tile>
  __device__ __forceinline__ void take_tile(const Tile& tile, const ImageTile& at, T* shared) const {
    constexpr int kRows = kSpatialRows / 2;
    lay_down(tile, shared);
    T* const of = shared + shared_floats<Tile>();
    if (y != nullptr) {
      lay_down_y<Tile>(at, of);
      __syncthreads();
    }
#pragma unroll 1
    for (int i = static_cast<int>(threadIdx.x); i < 2 * Tile::kBlockN; i += Tile::kThreads) {
      const int column = i % Tile::kBlockN, half = i / Tile::kBlockN, left = at.rows - half * kRows;
      if (column >= at.columns) continue;
      const int rows = left < 0 ? 0 : left < kRows ? left : kRows, count = at.row_pixels < kSpatialColumns ? at.row_pixels : kSpatialColumns;
      // A lower half without pixels is about the upper half's first.
      const int first = (rows == 0 ? 0 : half * kRows * kSpatialColumns) * kPitch<Tile> + column;
      const T* const values = shared + first;
      const int channel = at.first_column + column, lines = static_cast<int>(y == nullptr ? kOutputMoments : kTangentMoments);
      T* const out = to + (at.task * at.units + at.unit + half) * lines * channels + channel;
      if (y == nullptr) {
        about_mean<Tile>(values, rows, count, out);
      } else {
        sum_and_products<Tile>(values, of + first, kSpatialColumns * kPitch<Tile>, kPitch<Tile>,
                               mean[static_cast<std::int64_t>(at.task) * channels + channel], rows, count, out);
      }
    }
  }

  template <class Tile>
  static constexpr std::size_t shared_floats() {
    return std::size_t{Tile::kBlockM} * kPitch<Tile>;
  }
  /// Elements from one row of the tile to the next in shared memory: rows that a warp writes together start in different banks.
  template <class Tile>
  static constexpr int kPitch = Tile::kBlockN + 8;

 private:
  template <class Tile>
  static __device__ __forceinline__ void lay_down(const Tile& tile, T* shared) {
    constexpr int kMost = static_cast<int>(16 / sizeof(T)), kTogether = Tile::kRun < kMost ? Tile::kRun : kMost;
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

  /// y under a tile of an image, as the tile lies; nothing where it is outside.
  template <class Tile>
  __device__ __forceinline__ void lay_down_y(const ImageTile& at, T* below) const {
    using V = Together<T, 4>;
    constexpr int kAcross = Tile::kBlockN / 4;
    const T* const from = y + (at.task * at.pixels + at.pixel) * channels + at.first_column;
    const bool aligned = reinterpret_cast<std::uintptr_t>(y) % sizeof(V) == 0;  // channels come in fours
#pragma unroll 4
    for (int i = static_cast<int>(threadIdx.x); i < Tile::kBlockM * kAcross; i += Tile::kThreads) {
      const int column = i % kAcross * 4, pixel = i / kAcross, row = pixel / kSpatialColumns, across = pixel % kSpatialColumns;
      if (row >= at.rows || across >= at.row_pixels || column >= at.columns) continue;
      const T* const pixel_of = from + (static_cast<std::int64_t>(row) * at.line + across) * channels + column;
      store_as(below + pixel * kPitch<Tile> + column, aligned ? load_as<V>(pixel_of) : V{pixel_of[0], pixel_of[1], pixel_of[2], pixel_of[3]});
    }
  }

  /// Of `rows` runs of `count` values, kSpatialColumns apart; about the first value, then about the mean: neither cancels where the mean
  /// is large.
  template <class Tile>
  __device__ __forceinline__ void about_mean(const T* values, int rows, int count, T* out) const {
    const T first = values[0];
    T sum{0}, rest{0}, squares{0};
    for (int r = 0; r < rows; ++r) {
#pragma unroll 8
      for (int i = 0; i < count; ++i) sum += values[(r * kSpatialColumns + i) * kPitch<Tile>] - first;
    }
    const T middle = rows == 0 ? first : first + sum / static_cast<T>(rows * count);
    for (int r = 0; r < rows; ++r) {
#pragma unroll 8
      for (int i = 0; i < count; ++i) {
        const T d = values[(r * kSpatialColumns + i) * kPitch<Tile>] - middle;
        rest += d;
        squares += d * d;
      }
    }
    out[0] = middle;
    out[channels] = rest;
    out[2 * channels] = squares;
  }

  /// Of rows from `row` on of the pixels in `order`, whose y is in `of`.
  template <class Tile>
  __device__ __forceinline__ void sum_and_products_of_rows(const T* values, const T* of, const WindowOrder& order, int row, T middle,
                                                           int count, T* out) const {
    T sum{0}, products{0};
    const auto add = [&](int i, int pixel) {
      const T value = values[i * kPitch<Tile>];
      sum += value;
      products += value * (of[static_cast<std::int64_t>(pixel) * channels] - middle);
    };
    int i = 0;
#pragma unroll 2
    for (; i + 4 <= count && row + i < order.in_windows; i += 4) {
      const int first = order.window((row + i) / 4);
#pragma unroll
      for (int j = 0; j < 4; ++j) add(i + j, first + j / 2 * order.width + j % 2);
    }
#pragma unroll 4
    for (; i < count; ++i) add(i, order.pixel(row + i));
    out[0] = sum;
    out[channels] = products;
  }

  /// `of` has the values' y, `line` elements from one run to the next and `step` from one pixel.
  template <class Tile>
  __device__ __forceinline__ void sum_and_products(const T* values, const T* of, std::int64_t line, std::int64_t step, T middle,
                                                   int rows, int count, T* out) const {
    T sum{0}, products{0};
    for (int r = 0; r < rows; ++r) {
#pragma unroll 8
      for (int i = 0; i < count; ++i) {
        const T value = values[(r * kSpatialColumns + i) * kPitch<Tile>];
        sum += value;
        products += value * (of[r * line + i * step] - middle);
      }
    }
    out[0] = sum;
    out[channels] = products;
  }
};

}  // namespace innerloop::kernels::cuda
