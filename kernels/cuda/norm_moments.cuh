// The first pass of a norm whose convolution has left its sums in parts (conv_moments.h): the terms are units of pixels.
#pragma once

#include "kernels/cuda/conv_moments.h"
#include "kernels/cuda/norm_block.cuh"

namespace innerloop::kernels::cuda {

/// moments [T, units, kLines, K], as passes see them.
template <class T, int kWidth, int kLines>
struct UnitsOfMoments {
  using Values = Channels<T, kWidth>;
  static constexpr unsigned kPixels = static_cast<unsigned>(kMomentPixels);

  const T* data = nullptr;
  unsigned count = 0, pixels = 0, channels = 0;                       ///< units and pixels of a task
  unsigned height = 0, width = 0, tiles_h = 0, tiles_w = 0;           ///< tiles of an image, 0 where units are runs

  UnitsOfMoments() = default;
  UnitsOfMoments(const ConstView& moments, MomentUnit unit, const NormGrid& grid)
      : data(moments.as<T>()),
        count(static_cast<unsigned>(moments.shape[1])),
        pixels(grid.pixels),
        channels(grid.channels),
        height(grid.height),
        width(grid.width) {
    if (unit == MomentUnit::kTile) tiles_h = spatial_tiles(grid.height, kSpatialRows), tiles_w = spatial_tiles(grid.width, kSpatialColumns);
  }
  __device__ __forceinline__ UnitsOfMoments of_task(unsigned task) const {
    UnitsOfMoments units = *this;
    units.data += static_cast<std::int64_t>(task) * count * kLines * channels;
    return units;
  }
  /// Line `which` of a unit's channels from `channel` on.
  __device__ __forceinline__ const T* at(unsigned unit, int which, unsigned channel) const {
    return data + (static_cast<std::int64_t>(unit) * kLines + which) * channels + channel;
  }
  __device__ __forceinline__ T pixels_of(unsigned unit) const {
    if (tiles_w == 0) return static_cast<T>(min(kPixels, pixels - unit * kPixels));
    const unsigned tile = unit / 2, line = tile / tiles_w;
    const unsigned row = line % tiles_h * kSpatialRows + unit % 2 * kSpatialRows / 2, column = (tile - line * tiles_w) * kSpatialColumns;
    const unsigned rows = row < height ? min(unsigned{kSpatialRows / 2}, height - row) : 0;
    return static_cast<T>(rows * min(unsigned{kSpatialColumns}, width - column));
  }
};

/// Throws unless `moments`, of `lines` lines, have the units of `y`.
inline void check_moments(std::string_view op, const ConstView& moments, MomentUnit unit, const ConstView& y, std::int64_t lines) {
  const Shape& s = y.shape;
  IL_CHECK(s.rank() == 5 && moments.dtype == y.dtype && moments.shape == Shape({s[0], count_units(s, unit), lines, s[4]}),
           "{}: moments {} do not fit {}; give those of its convolution", op, moments.shape.to_string(), s.to_string());
}

}  // namespace innerloop::kernels::cuda
