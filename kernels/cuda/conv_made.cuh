// The loaders' side of conv_made.h.
#pragma once

#include "kernels/cuda/conv_made.h"
#include "kernels/cuda/conv_spatial.cuh"
#include "kernels/cuda/norm_grid.cuh"

namespace innerloop::kernels::cuda {

/// MadeGradient as a kernel's argument.
struct MadeOperand {
  const float *y = nullptr, *ty = nullptr, *gp = nullptr, *tgp = nullptr, *constants = nullptr;
  const std::uint8_t* choice = nullptr;
  int channels = 0, lines = 0, side = 1, windows_h = 0, windows_w = 0;
  std::int64_t y_task = 0, p_task = 0;

  MadeOperand() = default;
  explicit MadeOperand(const MadeGradient& g)
      : y(g.y.as<float>()),
        ty(g.ty.as<float>()),
        gp(g.gp.as<float>()),
        tgp(g.tgp.as<float>()),
        constants(g.constants.as<float>()),
        choice(g.choice.as<std::uint8_t>()),
        channels(static_cast<int>(g.y.shape[4])),
        lines(static_cast<int>(g.constants.shape[1])),
        side(g.pool == Pool::kNone ? 1 : 2),
        windows_h(static_cast<int>(g.gp.shape[2])),
        windows_w(static_cast<int>(g.gp.shape[3])),
        y_task(g.y.shape.numel() / g.y.shape[0]),
        p_task(g.gp.shape.numel() / g.gp.shape[0]) {}
};

/// gy, or tgy, of four neighbouring channels of an image, whose constants it keeps.
template <bool kTangent>
class GradientMaker {
  using Four = Channels<float, 4>;
  static constexpr int kLines = static_cast<int>(kTangent ? kTangentGradLines : kGradLines);

 public:
  /// `pixels` of the map; channel and the three behind it exist.
  __device__ __forceinline__ GradientMaker(const MadeOperand& from, int task, int image, std::int64_t pixels, int channel)
      : m_(from),
        first_(task * from.y_task + image * pixels * from.channels + channel),
        pooled_(task * from.p_task + static_cast<std::int64_t>(image) * from.windows_h * from.windows_w * from.channels + channel) {
#pragma unroll
    for (int i = 0; i < kLines; ++i)
      line_[i] = load_as<Four>(from.constants + (static_cast<std::int64_t>(task) * from.lines + i) * from.channels + channel);
  }

  /// What a pixel is made of.
  struct Sources {
    Four y{}, ty{}, gz{}, tgz{};
    Channels<std::uint8_t, 4> chosen{{kDead, kDead, kDead, kDead}};
  };
  /// At row y, column x of a map of `width` columns.
  __device__ __forceinline__ Sources read(int y, int x, int width) const {
    Sources from;
    const std::int64_t place = first_ + (static_cast<std::int64_t>(y) * width + x) * m_.channels;
    from.y = load_as<Four>(m_.y + place);
    if constexpr (kTangent)
      if (m_.ty != nullptr) from.ty = load_as<Four>(m_.ty + place);
    const int row = m_.side == 1 ? y : y / 2, column = m_.side == 1 ? x : x / 2;
    if (row < m_.windows_h && column < m_.windows_w) {
      const std::int64_t window = pooled_ + (static_cast<std::int64_t>(row) * m_.windows_w + column) * m_.channels;
      from.chosen = load_as<Channels<std::uint8_t, 4>>(m_.choice + window);
      from.gz = load_as<Four>(m_.gp + window);
      if constexpr (kTangent)
        if (m_.tgp != nullptr) from.tgz = load_as<Four>(m_.tgp + window);
    }
    return from;
  }
  __device__ __forceinline__ Four make(const Sources& from, int y, int x) const {
    const int position = m_.side == 1 ? 0 : y % 2 * 2 + x % 2;
    Four made;
#pragma unroll
    for (int v = 0; v < 4; ++v) {
      const float a = line_[1].at[v], d = from.y.at[v] - line_[0].at[v];
      const bool here = from.chosen.at[v] == position;
      if constexpr (kTangent) {
        const float hit = fused_multiply_add(from.gz.at[v], line_[5].at[v], fused_multiply_add(from.tgz.at[v], a, line_[7].at[v]));
        made.at[v] = fused_multiply_add(from.ty.at[v] - line_[4].at[v], line_[2].at[v],
                                        fused_multiply_add(d, line_[6].at[v], here ? hit : line_[7].at[v]));
      } else {
        const float hit = fused_multiply_add(from.gz.at[v], a, line_[3].at[v]);
        made.at[v] = fused_multiply_add(d, line_[2].at[v], here ? hit : line_[3].at[v]);
      }
    }
    return made;
  }
  __device__ __forceinline__ Four at(int y, int x, int width) const { return make(read(y, x, width), y, x); }

 private:
  const MadeOperand& m_;
  std::int64_t first_, pooled_;
  Four line_[kLines];
};

/// load_halo() (conv_spatial.cuh) of a gradient that is made; the same places, filled before it returns. A barrier must follow.
template <bool kTangent, int kThreads, int kPitch, int kApart>
__device__ __forceinline__ void make_halo(const SpatialMap& map, const MadeOperand& from, int task, int image, int row, int column,
                                          int channel, float* to) {
  constexpr int kVectors = kTileK / 4;
  static_assert(kThreads % kVectors == 0, "a thread has the same channels at every pixel");
  const int vector = static_cast<int>(threadIdx.x) % kVectors * 4;
  const bool exists = channel + vector < from.channels;
  const GradientMaker<kTangent> maker(from, task, image, map.in_pixels(), exists ? channel + vector : 0);
#pragma unroll 1  // registers are few beside the sums
  for (int i = static_cast<int>(threadIdx.x); i < kHaloPixels * kVectors; i += kThreads) {
    const int pixel = halo_pixel<kApart>(i / kVectors);
    const int i_h = pixel / kHaloColumns, y = row - map.pad_h + i_h, x = column - map.pad_w + pixel - i_h * kHaloColumns;
    const bool inside = exists && i_h < kHaloRows && static_cast<unsigned>(y) < static_cast<unsigned>(map.in_h) &&
                        static_cast<unsigned>(x) < static_cast<unsigned>(map.in_w);
    Channels<float, 4> made{};
    if (inside) made = maker.at(y, x, map.in_w);
    store_as(to + pixel * kPitch + vector, made);
  }
}

/// The tile itself, [kTilePixels][kWidth] as staged for products over pixels.
template <bool kTangent, int kWidth, int kThreads>
__device__ __forceinline__ void make_tile(const SpatialMap& map, const MadeOperand& from, int task, int image, int row, int column,
                                          int first, float* to) {
  constexpr int kVectors = kWidth / 4;
  static_assert(kThreads % kVectors == 0, "a thread has the same channels at every pixel");
  const int vector = static_cast<int>(threadIdx.x) % kVectors * 4;
  const bool exists = first + vector < from.channels;
  const GradientMaker<kTangent> maker(from, task, image, map.out_pixels(), exists ? first + vector : 0);
#pragma unroll 2
  for (int i = static_cast<int>(threadIdx.x); i < kTilePixels * kVectors; i += kThreads) {
    const int pixel = i / kVectors, y = row + pixel / kSpatialColumns, x = column + pixel % kSpatialColumns;
    Channels<float, 4> made{};
    if (exists && y < map.out_h && x < map.out_w) made = maker.at(y, x, map.out_w);
    store_as(to + tile_offset<Major::kAcrossK, kWidth>(vector, pixel), made);
  }
}

}  // namespace innerloop::kernels::cuda
