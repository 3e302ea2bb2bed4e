// Weight gradient by tiles of an image (conv_spatial.h): out[tap, c, k] = sum over pixels of x at the tap times gy.
//
//   block     part of a task's tiles, fastest, tile of output channels, 16 input channels, task; of 144 sums by 32 or 64. Three warps have
//             a row of taps each, of 32 output channels; for 64 there are twice as many
//   a stage   the input under a tile [10 x 18 pixels, 16 channels] and the tile's gy [128 pixels]; copied while the one before is
//             multiplied. Pairs one after the other within a tile
//   parts     are cut by the shape of one task; the last block joins them in order (tickets.cuh), and takes the step if there is one
#pragma once

#include <algorithm>
#include <memory>

#include "kernels/cuda/block_digits.cuh"
#include "kernels/cuda/conv_made.cuh"
#include "kernels/cuda/conv_weight_grad.cuh"
#include "kernels/cuda/math.cuh"

namespace innerloop::kernels::cuda {

/// Elements from a pixel of the halo to the next: of four neighbouring pixels the same eight channels lie in 32 banks.
inline constexpr int kWeightPitch = kTileK + 8;
inline constexpr int kRowTaps = 3;

struct SpatialWeightParams {
  const float *x[2] = {}, *gy[2] = {};
  std::int64_t x_task[2] = {}, gy_task[2] = {};
  int pairs = 1, channels = 0, filters = 0;
  SpatialMap map;
  int tiles = 0, tiles_part = 0, parts = 0;  ///< of a task
  int tiles_n = 0, chunks = 0;               ///< blocks along output and input channels
  float *out = nullptr, *partials = nullptr;  ///< [task, part, tap, c, k], where there is more than one part
  unsigned* tickets = nullptr;
  const float* from = nullptr;  ///< the step's parameters; null: none
  float rate = 0;
  MadeOperand made;  ///< in place of gy, where the kernel makes it
};

template <int kWarpsN>
inline constexpr int kWeightStage = kHaloPixels * kWeightPitch + kTilePixels * 32 * kWarpsN;

/// Starts the copies of a tile of an image of `channels`, from channel `first` on; zeros outside the map and behind the last channel.
template <int kWidth, int kThreads>
__device__ __forceinline__ void load_tile(const SpatialMap& map, int channels, const float* image, int row, int column, int first,
                                          float* to) {
  constexpr int kVectors = kWidth / 4;
  for (int i = static_cast<int>(threadIdx.x); i < kTilePixels * kVectors; i += kThreads) {
    const int vector = i % kVectors * 4, pixel = i / kVectors, y = row + pixel / kSpatialColumns, x = column + pixel % kSpatialColumns;
    const bool inside = y < map.out_h && x < map.out_w && first + vector < channels;
    async_copy<16>(to + tile_offset<Major::kAcrossK, kWidth>(vector, pixel),
                   image + (inside ? (y * map.out_w + x) * channels + first + vector : 0), inside ? 16 : 0);
  }
}

/// A warp's products over a staged tile: taps of filter row `row_tap`, columns of `right` from `column` on. left(pixel, channel) is the
/// operand with a halo, `channel` counted from the lane's first.
template <bool kSplit, int kWidth, int kCount, class Left>
__device__ __forceinline__ void multiply_tile(const Left& left, const float* right, int row_tap, int column, int lane,
                                              MmaAccumulator (&sum)[kRowTaps][kCount]) {
  const int g = tf32_b_column(lane, 0), t = tf32_b_k(lane, 0);
#pragma unroll 1
  for (int pixel = 0; pixel < kTilePixels; pixel += 8) {
    TfParts<MmaTf32B, kSplit> b[kCount];
#pragma unroll
    for (int j = 0; j < kCount; ++j) {
#pragma unroll
      for (int r = 0; r < 2; ++r)
        b[j].set(r, right[tile_offset<Major::kAcrossK, kWidth>(column + j * 8 + g, pixel + t + tf32_b_k(0, r))]);
    }
    const int under = (pixel / kSpatialColumns + row_tap) * kHaloColumns + pixel % kSpatialColumns + t;
#pragma unroll
    for (int tap = 0; tap < kRowTaps; ++tap) {
      TfParts<MmaTf32A, kSplit> a;
#pragma unroll
      for (int r = 0; r < 4; ++r) a.set(r, left(under + tap + tf32_a_k(0, r), tf32_a_row(0, r)));
      multiply_row<kSplit>(a, b, sum[tap]);
    }
  }
}

/// Where the sums of a task's part go: to its partial sums, or, where it is the only part, to the gradient or the weights after the step.
struct SpatialWeightTarget {
  const SpatialWeightParams& p;
  std::int64_t size;
  const float* from;  ///< of the task, null without a step
  float *out, *sums;

  __device__ __forceinline__ SpatialWeightTarget(const SpatialWeightParams& params, int task, int part)
      : p(params),
        size(std::int64_t{kTaps} * p.channels * p.filters),
        from(p.from == nullptr ? nullptr : p.from + task * size),
        out(p.out + task * size),
        sums(p.parts == 1 ? out : p.partials + (static_cast<std::int64_t>(task) * p.parts + part) * size) {}

  __device__ __forceinline__ std::int64_t place(int tap, int c, int k) const {
    return (std::int64_t{tap} * p.channels + c) * p.filters + k;
  }
  __device__ __forceinline__ float take_step(std::int64_t at, float gradient) const {
    return from == nullptr ? gradient : descended(from[at], p.rate, gradient);
  }
  /// What is stored of a sum of the part.
  __device__ __forceinline__ float value(std::int64_t at, float sum) const { return p.parts == 1 ? take_step(at, sum) : sum; }

  /// Adds up all parts of kChannels by kFilters from there on, in order. For the last block of them.
  template <int kChannels, int kFilters, int kThreads>
  __device__ __forceinline__ void join(int first_c, int first_k) const {
    const float* const parts = p.partials + (out - p.out) * p.parts;
    for (int i = static_cast<int>(threadIdx.x); i < kTaps * kChannels * kFilters; i += kThreads) {
      const int k = first_k + i % kFilters, c = first_c + i / kFilters % kChannels;
      if (c >= p.channels || k >= p.filters) continue;
      const std::int64_t at = place(i / (kFilters * kChannels), c, k);
      float joined = parts[at];
      for (int q = 1; q < p.parts; ++q) joined += parts[q * size + at];
      out[at] = take_step(at, joined);
    }
  }
};

/// The work of a block. Warps beyond those that have sums help to fetch.
template <ConvMath kMath, int kWarpsN, bool kMade, int kThreads>
__device__ __forceinline__ void spatial_weight_block(const SpatialWeightParams& p, unsigned block) {
  constexpr int kWidth = 32 * kWarpsN, kStage = kWeightStage<kWarpsN>, kWarps = kRowTaps * kWarpsN;
  static_assert(kThreads >= 32 * kWarps);
  IL_DYNAMIC_SHARED(float, shared);
  BlockDigits digits(block);
  const int part = digits.take(p.parts), place = digits.rest();  // a ticket for each place
  const int first_k = digits.take(p.tiles_n) * kWidth, first_c = digits.take(p.chunks) * kTileK, task = digits.rest();
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int row_tap = warp % kRowTaps, column = warp / kRowTaps * 32;
  const bool sums_here = kThreads == 32 * kWarps || warp < kWarps;
  const int begin = part * p.tiles_part, end = min(p.tiles, begin + p.tiles_part), total = (end - begin) * p.pairs;

  const auto load = [&](int stage) {
    const int tile = begin + stage / p.pairs, pair = stage % p.pairs, line = tile / p.map.tiles_w, image = line / p.map.tiles_h;
    const int row = (line - image * p.map.tiles_h) * kSpatialRows, at = (tile - line * p.map.tiles_w) * kSpatialColumns;
    float* const to = shared + stage % 2 * kStage;
    load_halo<kThreads, kWeightPitch, 2>(p.map, p.channels, p.x[pair] + task * p.x_task[pair] + image * p.map.in_pixels() * p.channels,
                                         row, at, first_c, to);
    float* const to_gy = to + kHaloPixels * kWeightPitch;
    if constexpr (kMade) {
      if (pair == 0 && p.made.lines == kTangentGradLines) {
        make_tile<true, kWidth, kThreads>(p.map, p.made, task, image, row, at, first_k, to_gy);
      } else {
        make_tile<false, kWidth, kThreads>(p.map, p.made, task, image, row, at, first_k, to_gy);
      }
    } else {
      load_tile<kWidth, kThreads>(p.map, p.filters, p.gy[pair] + task * p.gy_task[pair] + image * p.map.out_pixels() * p.filters, row, at,
                                  first_k, to_gy);
    }
  };
  MmaAccumulator sum[kRowTaps][4] = {};
  if (total > 0) load(0);
  async_copy_commit();
#pragma unroll 1
  for (int stage = 0; stage < total; ++stage) {
    if (stage + 1 < total) load(stage + 1);
    async_copy_commit();
    async_copy_wait<1>();
    __syncthreads();
    const float* const from = shared + stage % 2 * kStage;
    if (sums_here)
      multiply_tile<kMath == ConvMath::kTf32x3, kWidth>(
          [halo = from + tf32_b_column(lane, 0)](int pixel, int channel) { return halo[pixel * kWeightPitch + channel]; },
          from + kHaloPixels * kWeightPitch, row_tap, column, lane, sum);
    __syncthreads();
  }

  const SpatialWeightTarget to(p, task, part);
#pragma unroll
  for (int tap = 0; tap < kRowTaps; ++tap) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int c = first_c + c_row(lane, 2 * half), k = first_k + column + j * 8 + c_column(lane, 2 * half);
        if (!sums_here || c >= p.channels || k >= p.filters) continue;
        const std::int64_t at = to.place(row_tap * kRowTaps + tap, c, k);
        store_as(to.sums + at, Together<float, 2>{{to.value(at, sum[tap][j].r[2 * half]), to.value(at + 1, sum[tap][j].r[2 * half + 1])}});
      }
    }
  }
  if (p.parts > 1 && is_last_block(p.tickets + place, static_cast<unsigned>(p.parts)))
    to.join<kTileK, kWidth, kThreads>(first_c, first_k);
}

/// A weight gradient, ready for blocks of kWarpsN; its scratch memory lives as long as this.
struct SpatialWeightPlan {
  SpatialWeightParams params;
  std::int64_t tasks = 0;
  std::shared_ptr<void> scratch;

  SpatialWeightPlan(const ConvWeightGrad& op, const WeightStep& step, const MadeOperand& made, int warps_n, Context& context)
      : tasks(op.gw.shape[0]) {
    constexpr std::int64_t kTilesPart = 8, kMostParts = 64;
    const int pairs = count_pairs(ConvWeightGrad::kName, op.x, op.gy);
    const ConvSizes z = sizes_of(op, pairs);
    const auto narrow = [](std::int64_t n) { return static_cast<int>(n); };
    SpatialWeightParams& p = params;
    for (int n = 0; n < pairs; ++n) {
      p.x[n] = op.x[n].as<float>(), p.x_task[n] = task_stride(op.x[n]);
      p.gy[n] = op.gy[n].as<float>(), p.gy_task[n] = task_stride(op.gy[n]);
    }
    p.pairs = pairs, p.channels = narrow(z.c), p.filters = narrow(z.k);
    p.map = SpatialMap(z.h, z.w, z.p, z.q, op.geometry.pad_top, op.geometry.pad_left);
    const std::int64_t tiles = z.images * p.map.tiles_h * p.map.tiles_w;
    const std::int64_t parts = conv_ceil_div(tiles, std::max(kTilesPart, conv_ceil_div(tiles, kMostParts)));
    p.tiles = narrow(tiles);
    p.tiles_part = narrow(conv_ceil_div(tiles, std::max<std::int64_t>(1, parts)));  // as many in each
    p.parts = narrow(std::max<std::int64_t>(1, conv_ceil_div(tiles, std::max(1, p.tiles_part))));
    p.tiles_n = spatial_tiles(p.filters, 32 * warps_n), p.chunks = spatial_tiles(p.channels, kTileK);
    p.out = op.gw.as<float>(), p.tickets = tickets_of(context);
    p.from = step.from.as<float>(), p.rate = static_cast<float>(step.rate);
    p.made = made;
    if (p.parts > 1) scratch = context.arena().allocate(static_cast<std::size_t>(tasks * p.parts * z.w_size()) * sizeof(float));
    p.partials = static_cast<float*>(scratch.get());
    IL_CHECK(blocks() < std::int64_t{1} << 30, "{}: too many tiles for one launch ({}); lower outer.tasks", ConvWeightGrad::kName, blocks());
  }
  std::int64_t blocks() const { return tasks * params.parts * params.tiles_n * params.chunks; }
};

}  // namespace innerloop::kernels::cuda
