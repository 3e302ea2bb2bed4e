// What the kernels of conv_spatial.h share: how tiles lie on a map, and the input under one of them in shared memory.
#pragma once

#include "kernels/cuda/async_copy.cuh"
#include "kernels/cuda/conv_load.cuh"
#include "kernels/cuda/conv_spatial.h"
#include "tensor/host_device.h"

namespace innerloop::kernels::cuda {

inline constexpr int kTaps = 9;
inline constexpr int kHaloColumns = kSpatialColumns + 2, kHaloRows = kSpatialRows + 2;
inline constexpr int kHaloPixels = (kHaloRows * kHaloColumns + 7) / 8 * 8;  ///< in whole groups of eight
inline constexpr int kTilePixels = kSpatialRows * kSpatialColumns;

/// The q-th pixel of the halo to be filled. Eight threads fill two pixels together, kApart from each other, which is such that their
/// banks differ.
template <int kApart>
__device__ __forceinline__ int halo_pixel(int q) {
  return q / (2 * kApart) * (2 * kApart) + q % 2 * kApart + q / 2 % kApart;
}

/// The map that tiles lie on, and the one that it is made of: output (i, j) meets inputs (i - pad_h + 0, 1, 2; j - pad_w + 0, 1, 2).
struct SpatialMap {
  int in_h = 0, in_w = 0, out_h = 0, out_w = 0, pad_h = 0, pad_w = 0;
  int tiles_h = 0, tiles_w = 0;

  SpatialMap() = default;
  SpatialMap(std::int64_t h, std::int64_t w, std::int64_t p, std::int64_t q, std::int64_t top, std::int64_t left)
      : in_h(static_cast<int>(h)),
        in_w(static_cast<int>(w)),
        out_h(static_cast<int>(p)),
        out_w(static_cast<int>(q)),
        pad_h(static_cast<int>(top)),
        pad_w(static_cast<int>(left)),
        tiles_h(spatial_tiles(out_h, kSpatialRows)),
        tiles_w(spatial_tiles(out_w, kSpatialColumns)) {}

  IL_HD std::int64_t in_pixels() const { return static_cast<std::int64_t>(in_h) * in_w; }
  IL_HD std::int64_t out_pixels() const { return static_cast<std::int64_t>(out_h) * out_w; }
};

/// Starts the copies of kTileK channels from `channel` on, of `channels` that an image has, under the tile at (row, column) and its
/// border; zeros outside the image and behind the last channel. A pixel of the halo begins kPitch floats behind the one before.
template <int kThreads, int kPitch, int kApart>
__device__ __forceinline__ void load_halo(const SpatialMap& map, int channels, const float* image, int row, int column, int channel,
                                          float* to) {
  static_assert(kTileK == 16 && kApart * kPitch % 32 == 16);
  constexpr int kVectors = kTileK / 4;
  for (int i = static_cast<int>(threadIdx.x); i < kHaloPixels * kVectors; i += kThreads) {
    const int vector = i % kVectors * 4, pixel = halo_pixel<kApart>(i / kVectors);
    const int i_h = pixel / kHaloColumns, y = row - map.pad_h + i_h, x = column - map.pad_w + pixel - i_h * kHaloColumns;
    const bool inside = i_h < kHaloRows && static_cast<unsigned>(y) < static_cast<unsigned>(map.in_h) &&
                        static_cast<unsigned>(x) < static_cast<unsigned>(map.in_w) && channel + vector < channels;
    async_copy<16>(to + pixel * kPitch + vector, image + (inside ? (y * map.in_w + x) * channels + channel + vector : 0),
                   inside ? 16 : 0);
  }
}

}  // namespace innerloop::kernels::cuda
