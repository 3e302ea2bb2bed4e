// Both gradients of a large map in one block (conv_made.h), which makes gy once for the two; in launches or blocks of their own each of them makes
// it, and reads y, gp and choice for it again.
//
//   gx[p, c]      = sum over taps, k of gy[p - tap, k] w[tap, c, k]
//   gw[tap, c, k] = sum over pixels p of x[p, c] gy[p - tap, k]         tiles of x's map, so that gy alone has a border in both
//
//   block     a part of a task's tiles (conv_spatial_weight.cuh); up to 32 channels each way. Four warps make gx, of 32 pixels each, and
//             six make gw: a row of taps by 16 channels of gy. The weights of all taps lie in shared memory for all tiles
//   a stage   a pair of a tile: gy under the tile and its border, made, and x of the tile. Half of the warps fill the next stage before
//             their products and half behind them, so that one half's products hide the other's reads
//   order     of a sum over channels and taps: pairs, then taps, then 16 channels at a time; over pixels: parts, tiles, pairs
#include "kernels/cuda/conv_made.h"
#include "kernels/cuda/conv_spatial_tile.cuh"
#include "kernels/cuda/conv_spatial_weight.cuh"

namespace innerloop::kernels::cuda {
namespace {

constexpr int kWide = 32, kChunksWide = kWide / kTileK;  ///< channels that a block has room for
constexpr int kInputWarps = kTilePixels / 32, kWeightWarps = kRowTaps * kChunksWide, kBlockThreads = 32 * (kInputWarps + kWeightWarps);
constexpr int kHaloSize = kHaloPixels * kWide, kStageSize = kHaloSize + kTilePixels * kWide;

/// Where a channel of a pixel of the halo lies: four channels of eight neighbouring pixels in 32 banks, as gx reads them, and eight of four, as
/// gw does.
__device__ __forceinline__ int halo_offset(int pixel, int channel) { return pixel * kWide + (channel ^ ((pixel & 3) << 3 | (pixel & 4))); }

struct MadeGradsParams {
  SpatialParams input;  ///< b null where a pair has no part in gx
  SpatialWeightParams weight;  ///< and x null where it has none in gw
  int pairs, chunks;  ///< chunks: of kTileK channels of gy
};

template <int kColumns>
constexpr int kWeightsSize = kTaps * kTileK * kColumns;  ///< of a chunk

/// Makes gy, or tgy, under a tile and its border, of kTogether pixels whose sources are under way together. A barrier must follow.
template <bool kTangent, int kTogether>
__device__ __forceinline__ void make_wide_halo(const SpatialMap& map, const MadeOperand& from, int task, int image, int row, int column,
                                               float* to) {
  constexpr int kVectors = kWide / 4, kEach = kBlockThreads / kVectors;
  static_assert(kBlockThreads % kVectors == 0, "a thread has the same channels at every pixel");
  const int vector = static_cast<int>(threadIdx.x) % kVectors * 4;
  const bool exists = vector < from.channels;
  using Maker = GradientMaker<kTangent>;
  const Maker maker(from, task, image, map.in_pixels(), exists ? vector : 0);
#pragma unroll 1
  for (int first = static_cast<int>(threadIdx.x) / kVectors; first < kHaloPixels; first += kTogether * kEach) {
    typename Maker::Sources sources[kTogether];
    int y[kTogether], x[kTogether];
    bool inside[kTogether];
#pragma unroll
    for (int i = 0; i < kTogether; ++i) {
      const int pixel = first + i * kEach, i_h = pixel / kHaloColumns;
      y[i] = row - map.pad_h + i_h, x[i] = column - map.pad_w + pixel - i_h * kHaloColumns;
      inside[i] = exists && i_h < kHaloRows && static_cast<unsigned>(y[i]) < static_cast<unsigned>(map.in_h) &&
                  static_cast<unsigned>(x[i]) < static_cast<unsigned>(map.in_w);
      if (inside[i]) sources[i] = maker.read(y[i], x[i], map.in_w);
    }
#pragma unroll
    for (int i = 0; i < kTogether; ++i) {
      const int pixel = first + i * kEach;
      Channels<float, 4> made{};
      if (inside[i]) made = maker.make(sources[i], y[i], x[i]);
      if (pixel < kHaloPixels) store_as(to + halo_offset(pixel, vector), made);
    }
  }
}

/// kColumns: channels of x that there are products for, 16 or 32.
template <ConvMath kMath, int kColumns>
__global__ void __launch_bounds__(kBlockThreads, 1) conv_made_grads_kernel(const __grid_constant__ MadeGradsParams p) {
  grid_dependency_sync();
  using Tile = MmaTile<kMath, kInputWarps, 1, Major::kAlongK, Major::kAlongK, kColumns>;
  IL_DYNAMIC_SHARED(float, shared);
  const SpatialMap& map = p.input.map;
  const SpatialWeightParams& w = p.weight;
  BlockDigits digits(blockIdx.x);
  const int part = digits.take(w.parts), task = digits.rest();
  const int begin = part * w.tiles_part, end = min(w.tiles, begin + w.tiles_part), total = (end - begin) * p.pairs;
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const auto place_of = [&](int stage) {
    const int tile = begin + stage / p.pairs, line = tile / map.tiles_w;
    SpatialPlace at;
    at.image = line / map.tiles_h, at.row = (line - at.image * map.tiles_h) * kSpatialRows;
    at.column = (tile - line * map.tiles_w) * kSpatialColumns;
    return at;
  };

  float* const stages = shared + p.pairs * p.chunks * kWeightsSize<kColumns>;
#pragma unroll 1
  for (int i = 0; i < p.pairs * p.chunks; ++i) {
    const int pair = i / p.chunks, chunk = i - pair * p.chunks;
    if (p.input.b[pair] != nullptr)
      load_weights<Tile, Direction::kInputGradMade, kBlockThreads>(p.input, p.input.b[pair] + task * p.input.b_task[pair], 0,
                                                                   chunk * kTileK, shared + i * kWeightsSize<kColumns>);
  }
  const auto fill = [&](int stage) {
    const SpatialPlace at = place_of(stage);
    const int pair = stage % p.pairs;
    float* const to = stages + stage % 2 * kStageSize;
    if (w.x[pair] != nullptr)
      load_tile<kWide, kBlockThreads>(map, w.channels, w.x[pair] + task * w.x_task[pair] + at.image * map.out_pixels() * w.channels, at.row,
                                      at.column, 0, to + kHaloSize);
    constexpr int kTogether = 64 / kColumns;  // as there are registers
    if (pair == 0 && p.input.made.lines == kTangentGradLines) {
      make_wide_halo<true, kTogether / 2>(map, p.input.made, task, at.image, at.row, at.column, to);
    } else {
      make_wide_halo<false, kTogether>(map, p.input.made, task, at.image, at.row, at.column, to);
    }
  };

  const Tile tile(static_cast<int>(threadIdx.x));  // of the warps that make gx
  MmaAccumulator sum[kRowTaps][kColumns / 8] = {};  // of either kind
  const int row_tap = (warp - kInputWarps) % kRowTaps, chunk_here = (warp - kInputWarps) / kRowTaps;  // of the warps that make gw
  const auto multiply_input = [&](const float* halo, int stage) {
    const int pair = stage % p.pairs, under = warp * (32 / kSpatialColumns) * kHaloColumns + tf32_a_row(lane, 0);
    if (p.input.b[pair] != nullptr) {
#pragma unroll 1
      for (int tap = 0; tap < kTaps; ++tap) {
        const int first = under + tap / 3 * kHaloColumns + tap % 3;
#pragma unroll 1
        for (int chunk = 0; chunk < p.chunks; ++chunk)
          tile.multiply(
              [&](int row_step, int k_step) {
                return halo[halo_offset(first + row_step / kSpatialColumns * kHaloColumns + row_step % kSpatialColumns,
                                        chunk * kTileK + k_step + tf32_a_k(lane, 0))];
              },
              shared + (pair * p.chunks + chunk) * kWeightsSize<kColumns> + tap * kTileK * kColumns, sum);
      }
    }
    if (pair + 1 < p.pairs) return;
    const SpatialPlace at = place_of(stage);
    float* const out = p.input.out + task * p.input.out_task + at.image * map.out_pixels() * w.channels;
    tile.for_each_run([&](int row, int column, const float(&run)[Tile::kRun]) {
      const int y = at.row + row / kSpatialColumns, x = at.column + row % kSpatialColumns;
      if (y >= map.out_h || x >= map.out_w || column >= w.channels) return;
      store_as(out + (y * map.out_w + x) * w.channels + column, Together<float, Tile::kRun>{{run[0], run[1]}});
    }, sum);
#pragma unroll
    for (auto& row : sum) {
#pragma unroll
      for (MmaAccumulator& here : row) here = MmaAccumulator{};
    }
  };
  const auto multiply = [&](int stage) {
    const float* const halo = stages + stage % 2 * kStageSize;
    if (warp < kInputWarps) {
      multiply_input(halo, stage);
    } else if (chunk_here < p.chunks && w.x[stage % p.pairs] != nullptr) {
      const int channel = chunk_here * kTileK + tf32_b_column(lane, 0);
      multiply_tile<kMath == ConvMath::kTf32x3, kWide>(
          [&](int pixel, int step) { return halo[halo_offset(pixel, channel + step)]; }, halo + kHaloSize, row_tap, 0, lane, sum);
    }
  };

  if (total > 0) fill(0);
#pragma unroll 1
  for (int stage = 0; stage < total; ++stage) {
    async_copy_wait_all();
    __syncthreads();
#pragma unroll 1
    for (int turn = 0; turn < 2; ++turn) {
      if (turn == warp % 2) {
        if (stage + 1 < total) fill(stage + 1);
      } else {
        multiply(stage);
      }
    }
  }

  const SpatialWeightTarget to(w, task, part);
#pragma unroll
  for (int tap = 0; tap < kRowTaps; ++tap) {
#pragma unroll
    for (int j = 0; j < kColumns / 8; ++j) {
#pragma unroll
      for (int r = 0; r < 4; ++r) {
        const int k = chunk_here * kTileK + c_row(lane, r), c = j * 8 + c_column(lane, r);
        if (warp < kInputWarps || c >= w.channels || k >= w.filters) continue;
        const std::int64_t at = to.place(kTaps - 1 - row_tap * kRowTaps - tap, c, k);  // a gradient's taps are turned about
        to.sums[at] = to.value(at, sum[tap][j].r[r]);
      }
    }
  }
  if (w.parts > 1 && is_last_block(w.tickets + task, static_cast<unsigned>(w.parts))) to.join<kColumns, kWide, kBlockThreads>(0, 0);
}

template <int kColumns>
std::size_t shared_bytes(int pairs, int chunks) {
  return static_cast<std::size_t>(pairs * chunks * kWeightsSize<kColumns> + 2 * kStageSize) * sizeof(float);
}

/// Either gradient's, whichever has two.
int pairs_of(const ConvGradsStep& op) { return op.grads.input.w[1] || op.grads.weight.x[1] ? 2 : 1; }
int chunks_of(const Shape& w) { return spatial_tiles(static_cast<int>(w[4]), kTileK); }

template <ConvMath kMath>
void launch_grads(const MadeGradsParams& params, std::int64_t blocks, Context& context) {
  const auto launch_here = [&](auto* kernel, std::size_t shared) {
    launch(kernel, dim3(static_cast<unsigned>(blocks)), dim3(kBlockThreads), shared, stream_of(context), params);
  };
  if (params.weight.channels <= 16) return launch_here(conv_made_grads_kernel<kMath, 16>, shared_bytes<16>(params.pairs, params.chunks));
  launch_here(conv_made_grads_kernel<kMath, 32>, shared_bytes<32>(params.pairs, params.chunks));
}

}  // namespace

bool suits_one_block(const ConvGradsStep& op, Context& context) {
  const ConvGeometry& g = op.grads.input.geometry;
  const Shape &w = op.grads.weight.gw.shape, &x = op.grads.weight.x[0].shape, &gy = op.grads.weight.gy[0].shape;
  return op.grads.input.gx && w[3] <= kWide && w[4] <= kWide && g.pad_top == 1 && g.pad_left == 1 && x[2] == gy[2] && x[3] == gy[3] &&
         shared_bytes<32>(2, chunks_of(w)) <= device_of(context).shared_per_block();
}

void conv_spatial_one_block(const ConvGradsStep& op, const MadeGradient& gy, ConvMath math, Context& context) {
  const SpatialWeightPlan weight(op.grads.weight, op.step, {}, 1, context);
  const ConvInputGrad& input = op.grads.input;
  MadeGradsParams params{spatial_params(input, count_pairs(ConvInputGrad::kName, input.gy, input.w)), weight.params, pairs_of(op),
                         chunks_of(op.grads.weight.gw.shape)};
  params.input.made = MadeOperand(gy);
  const std::int64_t blocks = weight.tasks * weight.params.parts;
  if (math == ConvMath::kTf32) return launch_grads<ConvMath::kTf32>(params, blocks, context);
  launch_grads<ConvMath::kTf32x3>(params, blocks, context);
}

}  // namespace innerloop::kernels::cuda
