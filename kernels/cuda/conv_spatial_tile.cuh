// A block of conv_spatial.h. Forward and input gradient differ in the border and in how the weights lie.
//
//   block     tile along the row, fastest, then down the image, image, tile of output channels, task; four warps, or twice four for 64
//             channels, of 32 pixels (two rows of the tile) by 32 channels each
//   a stage   kTileK input channels under the tile [10 x 18 pixels] and of the weights [9 taps]; copied while the one before is
//             multiplied
#pragma once

#include <algorithm>

#include "kernels/cuda/block_digits.cuh"
#include "kernels/cuda/conv_launch.cuh"
#include "kernels/cuda/conv_made.cuh"
#include "kernels/cuda/conv_picks.cuh"

namespace innerloop::kernels::cuda {

/// Elements from a pixel of the halo to the next: the same channel of eight neighbouring pixels, four of them, lies in 32 banks.
inline constexpr int kHaloPitch = kTileK + 4;

/// kInputGradMade: of a gy that the loader makes (conv_made.h).
enum class Direction { kForward, kInputGrad, kInputGradMade };

struct SpatialParams {
  const float *a[2] = {}, *b[2] = {};
  std::int64_t a_task[2] = {}, b_task[2] = {};
  float* out = nullptr;
  std::int64_t out_task = 0;
  int pairs = 1, depth = 0, columns = 0;  ///< channels of the input and of the output
  SpatialMap map;
  int images = 0, tiles_n = 0;
  WriteMoments<float> write;
  WritePicks picks;  ///< wanted only with moments
  MadeOperand made;  ///< in place of a
};

template <ConvMath kMath, int kWarpsN, Direction kDirection>
using SpatialTile = MmaTile<kMath, kSpatialRows * kSpatialColumns / 32, kWarpsN, Major::kAlongK,
                            kDirection == Direction::kForward ? Major::kAcrossK : Major::kAlongK>;

/// Floats of a stage.
template <class Tile>
constexpr int kSpatialStage = kHaloPixels * kHaloPitch + kTaps * kTileK * Tile::kBlockN;

/// Where a block's tile is.
struct SpatialPlace {
  int row, column, image, first_column, task, tile;  ///< tile: counted over the task's images
};

/// Starts the copies of the weights of all taps. An input gradient meets them turned about: from the last tap to the first.
template <class Tile, Direction kDirection, int kThreads = Tile::kThreads>
__device__ __forceinline__ void load_weights(const SpatialParams& p, const float* w, int first_column, int channel, float* to) {
  constexpr bool kForward = kDirection == Direction::kForward;
  constexpr int kVectors = (kForward ? Tile::kBlockN : kTileK) / 4, kLines = kForward ? kTileK : Tile::kBlockN;
  for (int i = static_cast<int>(threadIdx.x); i < kTaps * kLines * kVectors; i += kThreads) {
    const int vector = i % kVectors * 4, line = i / kVectors % kLines, tap = i / (kVectors * kLines);
    const int k = kForward ? line : vector, n = kForward ? vector : line;
    const bool inside = channel + k < p.depth && first_column + n < p.columns;
    const int offset = kForward ? (tap * p.depth + channel + k) * p.columns + first_column + n
                                : ((kTaps - 1 - tap) * p.columns + first_column + n) * p.depth + channel + k;
    async_copy<16>(to + tap * kTileK * Tile::kBlockN + tile_offset<Tile::kRight, Tile::kBlockN>(n, k), w + (inside ? offset : 0),
                   inside ? 16 : 0);
  }
}

/// Blocks on a multiprocessor, as its shared memory has room for them.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 900
template <int kWarpsN>
inline constexpr int kSpatialBlocks = kWarpsN == 1 ? 2 : 1;
#else
template <int kWarpsN>
inline constexpr int kSpatialBlocks = kWarpsN == 1 ? 3 : 2;
#endif

template <class Tile>
__device__ __forceinline__ SpatialPlace place_of_tile(const SpatialParams& p, unsigned block) {
  BlockDigits digits(block);
  SpatialPlace at;
  at.column = digits.take(p.map.tiles_w);
  at.row = digits.take(p.map.tiles_h);
  at.image = digits.take(p.images);
  at.tile = (at.image * p.map.tiles_h + at.row) * p.map.tiles_w + at.column;
  at.first_column = digits.take(p.tiles_n) * Tile::kBlockN;
  at.task = digits.rest();
  at.row *= kSpatialRows, at.column *= kSpatialColumns;
  return at;
}

/// The work of block block() of the convolution. It is asked for again behind the products, over which its place would cost registers.
template <ConvMath kMath, int kWarpsN, Direction kDirection, class Block>
__device__ __forceinline__ void spatial_block(const SpatialParams& p, const Block& block) {
  using Tile = SpatialTile<kMath, kWarpsN, kDirection>;
  constexpr int kStage = kSpatialStage<Tile>;
  IL_DYNAMIC_SHARED(float, shared);
  SpatialPlace at = place_of_tile<Tile>(p, block());

  const int lane = static_cast<int>(threadIdx.x) % 32, chunks = (p.depth + kTileK - 1) / kTileK, total = p.pairs * chunks;
  Tile tile(static_cast<int>(threadIdx.x));
  tile.clear();
  const int first = (tile.first_row() / kSpatialColumns * kHaloColumns + tf32_a_row(lane, 0)) * kHaloPitch + tf32_a_k(lane, 0);
  const auto load = [&](int stage) {
    const int pair = stage >= chunks ? 1 : 0, channel = (stage - pair * chunks) * kTileK;
    float* const to = shared + stage % 2 * kStage;
    if constexpr (kDirection == Direction::kInputGradMade) {
      if (pair == 0 && p.made.lines == kTangentGradLines) {
        make_halo<true, Tile::kThreads, kHaloPitch, 4>(p.map, p.made, at.task, at.image, at.row, at.column, channel, to);
      } else {
        make_halo<false, Tile::kThreads, kHaloPitch, 4>(p.map, p.made, at.task, at.image, at.row, at.column, channel, to);
      }
    } else {
      load_halo<Tile::kThreads, kHaloPitch, 4>(
          p.map, p.depth, p.a[pair] + at.task * p.a_task[pair] + at.image * p.map.in_pixels() * p.depth, at.row, at.column, channel, to);
    }
    load_weights<Tile, kDirection>(p, p.b[pair] + at.task * p.b_task[pair], at.first_column, channel,
                                   to + kHaloPixels * kHaloPitch);
  };
  load(0);
  async_copy_commit();
#pragma unroll 1
  for (int stage = 0; stage < total; ++stage) {
    if (stage + 1 < total) load(stage + 1);
    async_copy_commit();
    async_copy_wait<1>();
    __syncthreads();
    const float* const from = shared + stage % 2 * kStage;
#pragma unroll 1
    for (int tap = 0; tap < kTaps; ++tap) {
      const float* const left = from + first + (tap / 3 * kHaloColumns + tap % 3) * kHaloPitch;
      tile.multiply(
          [&](int row_step, int k_step) {
            return left[(row_step / kSpatialColumns * kHaloColumns + row_step % kSpatialColumns) * kHaloPitch + k_step];
          },
          from + kHaloPixels * kHaloPitch + tap * kTileK * Tile::kBlockN);
    }
    __syncthreads();
  }

  at = place_of_tile<Tile>(p, block());
  float* const out = p.out + at.task * p.out_task + at.image * p.map.out_pixels() * p.columns;
  tile.for_each_run([&](int row, int column, const float(&run)[Tile::kRun]) {
    const int y = at.row + row / kSpatialColumns, x = at.column + row % kSpatialColumns;
    if (y >= p.map.out_h || x >= p.map.out_w || at.first_column + column >= p.columns) return;
    Together<float, Tile::kRun> sums;
#pragma unroll
    for (int l = 0; l < Tile::kRun; ++l) sums.v[l] = run[l];
    store_as(out + (y * p.map.out_w + x) * p.columns + at.first_column + column, sums);
  });
  if constexpr (kDirection == Direction::kForward) {
    if (p.write.to == nullptr) return;
    const std::int64_t units = std::int64_t{2} * p.images * p.map.tiles_h * p.map.tiles_w;
    p.write.take_tile(tile, {at.task, at.first_column, p.columns - at.first_column, units, 2 * at.tile, p.map.out_h - at.row,
                             p.map.out_w - at.column, at.image * p.map.out_pixels() + at.row * p.map.out_w + at.column, p.map.out_w,
                             p.images * p.map.out_pixels()},
                      shared);
    if (p.picks.values != nullptr)
      p.picks.take_tile<Tile>({at.task, at.task * p.images + at.image, at.row, at.column, at.first_column, p.columns}, shared);
  }
}

/// Dynamic shared memory of a block, in bytes.
template <class Tile>
std::size_t spatial_shared(const SpatialParams& p) {
  const int stages = p.pairs > 1 || p.depth > kTileK ? 2 : 1;  // that are in memory together
  const std::size_t laid_down = p.write.to == nullptr ? 0 : p.write.y == nullptr ? 1 : 2;  // tiles behind the products
  const std::size_t moments = laid_down * WriteMoments<float>::shared_floats<Tile>();
  return std::max<std::size_t>(static_cast<std::size_t>(stages) * kSpatialStage<Tile>, moments) * sizeof(float);
}

/// What both directions have in common.
inline SpatialParams spatial_params(const ConstView (&a)[2], const ConstView (&b)[2], int pairs, const View& out, const ConvSizes& z) {
  SpatialParams p;
  for (int n = 0; n < pairs; ++n) {
    p.a[n] = a[n].as<float>(), p.a_task[n] = task_stride(a[n]);
    p.b[n] = b[n].as<float>(), p.b_task[n] = task_stride(b[n]);
  }
  p.out = out.as<float>(), p.out_task = task_stride(out);
  p.pairs = pairs, p.images = static_cast<int>(z.images);
  return p;
}

/// Of an input gradient; of op.gy the shapes alone matter where it is made.
inline SpatialParams spatial_params(const ConvInputGrad& op, int pairs) {
  const ConvSizes z = conv_sizes(
      ConvInputGrad::kName, op.geometry, pairs, [&](int) -> ConstView { return op.gx; }, [&](int n) { return op.w[n]; },
      [&](int n) { return op.gy[n]; });
  check_extents(ConvInputGrad::kName, op.geometry, z);
  SpatialParams p = spatial_params(op.gy, op.w, pairs, op.gx, z);
  p.depth = static_cast<int>(z.k), p.columns = static_cast<int>(z.c);
  p.map = SpatialMap(z.p, z.q, z.h, z.w, 2 - op.geometry.pad_top, 2 - op.geometry.pad_left);
  return p;
}

/// Blocks of all tasks, once p.tiles_n is set.
inline std::int64_t count_blocks(const SpatialParams& p, std::int64_t tasks, std::string_view op) {
  const std::int64_t blocks = tasks * p.images * p.map.tiles_h * p.map.tiles_w * p.tiles_n;
  IL_CHECK(blocks < std::int64_t{1} << 30, "{}: too many tiles for one launch ({}); lower outer.tasks", op, blocks);
  return blocks;
}

}  // namespace innerloop::kernels::cuda
