// The first pass of a norm whose convolution has left its sums in parts (conv_moments.h): the terms are units of pixels.
#pragma once

#include "kernels/cuda/conv_moments.h"
#include "kernels/cuda/norm_passes.cuh"

namespace innerloop::kernels::cuda {

/// moments [T, units, kLines, K], as passes see them.
template <class T, int kWidth, int kLines>
struct MomentUnits {
  using Values = Channels<T, kWidth>;
  static constexpr unsigned kPixels = static_cast<unsigned>(kMomentPixels);

  const T* data;
  unsigned count, pixels, channels;  ///< units and pixels of a task

  MomentUnits(const ConstView& moments, const NormGrid& grid)
      : data(moments.as<T>()),
        count((grid.pixels + kPixels - 1) / kPixels),
        pixels(grid.pixels),
        channels(grid.channels) {}
  __device__ __forceinline__ MomentUnits of_task(unsigned task) const {
    MomentUnits units = *this;
    units.data += static_cast<std::int64_t>(task) * count * kLines * channels;
    return units;
  }
  /// Line `which` of a unit's channels from `channel` on.
  __device__ __forceinline__ const T* at(unsigned unit, int which, unsigned channel) const {
    return data + (static_cast<std::int64_t>(unit) * kLines + which) * channels + channel;
  }
  __device__ __forceinline__ T pixels_of(unsigned unit) const {
    return static_cast<T>(min(kPixels, pixels - unit * kPixels));
  }
};

/// Throws unless `moments`, of `lines` lines, have the units of `y`.
inline void check_moments(std::string_view op, const ConstView& moments, const ConstView& y, std::int64_t lines) {
  const Shape& s = y.shape;
  IL_CHECK(s.rank() == 5 && moments.dtype == y.dtype &&
               moments.shape == Shape({s[0], (s[1] * s[2] * s[3] + kMomentPixels - 1) / kMomentPixels, lines, s[4]}),
           "{}: moments {} do not fit {}; give those of its convolution", op, moments.shape.to_string(), s.to_string());
}

}  // namespace innerloop::kernels::cuda
