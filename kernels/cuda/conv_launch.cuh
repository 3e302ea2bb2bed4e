// The host's side that the three convolutions share: operands from sizes, a tile that suits them, and the launch.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/conv_check.h"
#include "kernels/cuda/conv_gemm.cuh"
#include "kernels/cuda/conv_index.cuh"
#include "kernels/cuda/conv_own.h"
#include "kernels/cuda/conv_tile_ffma.cuh"
#include "kernels/cuda/conv_tile_mma.cuh"
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/full_wave.h"
#include "kernels/cuda/launch.cuh"

namespace innerloop::kernels::cuda {

inline std::int64_t conv_ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// One spatial axis of a gather, before it is narrowed.
struct AxisPlan {
  std::int64_t in = 0, out = 0, in_step = 1, first = 0, taps = 0, tap_step = 1;
};

/// `channels` of the group out of `pitch` of the source.
inline Gather make_gather(const AxisPlan& h, const AxisPlan& w, std::int64_t images, std::int64_t channels,
                          std::int64_t pitch) {
  Gather g;
  const auto axis = [](const AxisPlan& a) {
    return GatherAxis{static_cast<int>(a.in), static_cast<int>(a.in_step), static_cast<int>(a.first),
                      static_cast<int>(a.tap_step)};
  };
  g.h = axis(h), g.w = axis(w);
  g.pixels = static_cast<int>(images * h.out * w.out);
  g.columns = static_cast<int>(h.taps * w.taps * channels);
  g.channels = static_cast<int>(channels);
  g.taps_w = static_cast<int>(w.taps);
  g.pixels_image = static_cast<int>(h.out * w.out);
  g.pixels_row = static_cast<int>(w.out);
  g.image = static_cast<int>(h.in * w.in * pitch);
  g.line = static_cast<int>(w.in * pitch);
  g.step = static_cast<int>(pitch);
  g.by_image = FastDivisor(g.pixels_image);
  g.by_row = FastDivisor(g.pixels_row);
  g.by_channels = FastDivisor(g.channels);
  g.by_taps_w = FastDivisor(g.taps_w);
  return g;
}

/// Offsets within a task are 32-bit; so is every coordinate, however far the padding puts it outside.
inline void check_extents(std::string_view op, const ConvGeometry& g, const ConvSizes& z) {
  constexpr std::int64_t kLimit = std::int64_t{1} << 30;
  const std::int64_t reach_h = z.h + g.pad_top + z.p * g.stride_h + z.r * g.dilation_h;
  const std::int64_t reach_w = z.w + g.pad_left + z.q * g.stride_w + z.s * g.dilation_w;
  IL_CHECK(z.x_size() < kLimit && z.y_size() < kLimit && z.w_size() < kLimit && z.images * z.p * z.q < kLimit &&
               (reach_h * (z.w + z.q) + reach_w) * std::max(z.c, z.k) < kLimit / 2,
           "{}: one task's image, weight or output is too large for the CUDA kernels (2^30 elements)", op);
}

inline bool aligned(const ConstView& v) { return reinterpret_cast<std::uintptr_t>(v.data) % 16 == 0; }

enum class TileSize {
  kSmall,   ///< 64 x 32
  kLarge,   ///< 128 x 64, where its columns are used and it fills the device
  kNarrow,  ///< 16 x 64: a filter over one to three channels has 9 to 27 rows
};

/// Which operands are read four elements at a time, from 16-byte aligned addresses.
enum class Vectors { kNone, kRight, kBoth };

inline Vectors vectors_of(bool left, bool right) {
  return !right ? Vectors::kNone : left ? Vectors::kBoth : Vectors::kRight;
}

/// How a kernel is to be tiled. An output's order of summation depends on nothing in it but `math`.
struct TileChoice {
  ConvMath math = ConvMath::kFp32;
  Vectors vectors = Vectors::kNone;
  TileSize size = TileSize::kSmall;
};

inline constexpr int kLargeM = 128, kLargeN = 64, kSmallM = 64, kSmallN = 32, kNarrowM = 16, kNarrowN = 64;

/// Half-empty products of a tensor core cost as much as full ones; below this, multiply-adds waste less.
inline bool suits_tensor_cores(std::int64_t columns, std::int64_t depth) { return columns >= 16 && depth >= 2 * kTileK; }

/// `copies` products of `rows` x `columns` in sums of `depth`, the last three of one task and group, so that the number
/// of tasks cannot change the mathematics.
inline TileChoice choose_tile(ConvMath asked, Vectors vectors, std::int64_t rows, std::int64_t columns,
                              std::int64_t depth, std::int64_t copies) {
  const bool suits = vectors == Vectors::kBoth && suits_tensor_cores(columns, depth);
  const std::int64_t large_tiles = conv_ceil_div(rows, kLargeM) * conv_ceil_div(columns, kLargeN);
  const bool large = columns > kSmallN && rows > kSmallM && large_tiles * copies >= full_wave();
  const bool narrow = vectors == Vectors::kRight && columns > kSmallN && rows <= 2 * kNarrowM;
  return {suits ? asked : ConvMath::kFp32, vectors,
          large    ? TileSize::kLarge
          : narrow ? TileSize::kNarrow
                   : TileSize::kSmall};
}

/// Calls body.operator()<Tile, kVectorA, kVectorB>(). kMajorA and kMajorB are how the operands lie in memory; what is
/// read one by one is staged row by row whatever it is.
template <class T, Major kMajorA, Major kMajorB, class Body>
void with_tile(const TileChoice& choice, const Body& body) {
  constexpr Major kAny = Major::kAcrossK;
  if constexpr (sizeof(T) == 4) {
    const bool large = choice.size == TileSize::kLarge;
    const auto with_mma = [&]<ConvMath kMath>() {
      if (large) return body.template operator()<MmaTile<kMath, kLargeM / 32, kLargeN / 32, kMajorA, kMajorB>, 4, 4>();
      body.template operator()<MmaTile<kMath, kSmallM / 32, kSmallN / 32, kMajorA, kMajorB>, 4, 4>();
    };
    if (choice.vectors == Vectors::kBoth) {
      switch (choice.math) {
        case ConvMath::kTf32x3:
          return with_mma.template operator()<ConvMath::kTf32x3>();
        case ConvMath::kTf32:
          return with_mma.template operator()<ConvMath::kTf32>();
        case ConvMath::kFp32:
          break;
      }
      if (large) return body.template operator()<FfmaTile<T, kLargeM, kLargeN, kMajorA, kMajorB>, 4, 4>();
      return body.template operator()<FfmaTile<T, kSmallM, kSmallN, kMajorA, kMajorB>, 4, 4>();
    }
    if constexpr (kMajorB == Major::kAcrossK) {
      if (choice.vectors == Vectors::kRight) {
        if (large) return body.template operator()<FfmaTile<T, kLargeM, kLargeN, kAny, kMajorB>, 1, 4>();
        if constexpr (kMajorA == Major::kAcrossK) {
          if (choice.size == TileSize::kNarrow)
            return body.template operator()<FfmaTile<T, kNarrowM, kNarrowN, kAny, kMajorB, 4, 16>, 1, 4>();
        }
        return body.template operator()<FfmaTile<T, kSmallM, kSmallN, kAny, kMajorB>, 1, 4>();
      }
    }
  }
  body.template operator()<FfmaTile<T, kSmallM, kSmallN, kAny, kAny>, 1, 1>();
}

/// Shared memory of a block.
template <class Tile>
inline constexpr std::size_t kConvShared =
    sizeof(typename Tile::Element) * Tile::kStages * (Tile::kBlockM + Tile::kBlockN) * kTileK;

/// Fills in the tiles of `gemm`.
template <class Tile>
void cut_tiles(std::string_view op, ConvGemm<typename Tile::Element>& gemm, std::int64_t rows, std::int64_t out_tasks) {
  gemm.tiles_m = static_cast<int>(conv_ceil_div(rows, Tile::kBlockM));
  gemm.tiles_n = static_cast<int>(conv_ceil_div(gemm.columns, Tile::kBlockN));
  const std::int64_t blocks = out_tasks * gemm.piece_groups * gemm.groups * gemm.tiles_m * gemm.tiles_n;
  IL_CHECK(blocks < (std::int64_t{1} << 30), "{}: too many tiles for one launch ({})", op, blocks);
  gemm.blocks = static_cast<int>(blocks);
}

/// Fills in the tiles of `gemm` and launches kernel(params) on the grid that follows.
template <class Tile, class Params>
void launch_conv(std::string_view op, void (*kernel)(Params), Params& params, std::int64_t rows, std::int64_t out_tasks,
                 unsigned parts, Context& context) {
  cut_tiles<Tile>(op, params.gemm, rows, out_tasks);
  launch(kernel, dim3(static_cast<unsigned>(params.gemm.blocks), parts), dim3(Tile::kThreads), kConvShared<Tile>,
         stream_of(context), params);
}

}  // namespace innerloop::kernels::cuda
