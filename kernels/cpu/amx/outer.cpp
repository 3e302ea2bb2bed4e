// The weight gradient on AMX tiles, transposed: rows of the left operand are 16 output channels, its columns 32 pixels of gy; the
// right operand is 16 rows of the gradient (input channels of a tap) at the same pixels. So taps shift only the right operand,
// which is copied together from pairs of pixels anyway.
#include "kernels/cpu/amx/planes.h"
#include "kernels/cpu/conv_amx.h"
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/transpose.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE::amx {
namespace {

constexpr std::int64_t kBlockPixels = 1024;  // planes of x and gy stay in the second-level cache

/// Rows of the gradient that lie side by side in the source, too: 32 of them, or what is left of a filter row.
struct Unit {
  std::int64_t from;  ///< offset in the planes of x
  std::int64_t row;   ///< of the gradient
  std::int64_t rows;  ///< that count: 16 or 32
};

/// One pair of operands.
struct Operand {
  const Bf16* x;   ///< planes
  const Bf16* gy;  ///< left operands [tile of output channels][step][part], from the first tile that is wanted
};

struct Block {
  Operand pairs[2];
  int pair_count;
  std::int64_t x_pitch;      ///< from one plane of x to the next
  const std::int64_t* from;  ///< offset of each pixel in the planes of x
  std::int64_t steps;        ///< of kDepth pixels
};

/// The right operands of a unit, for one step: two tiles. Unpacking puts four neighbours in turn into the one and the other:
/// columns 4i to 4i + 3 of tile j are rows 8i + 4j to 8i + 4j + 3 of the unit. There are two of them: the next step is copied during
/// the products of this one, since a tile load waits until what it reads has left the store buffer.
struct Copies {
  alignas(64) Bf16 tile[2][2][kParts * kTile];
  Bf16 awake[kTile];  ///< IL_STAY_AWAKE
};

/// Rows [first, last) of both right operands of step `s`: row i is pixels 2i and 2i + 1 side by side.
IL_INLINE void copy_right(const Block& block, const Bf16* x, std::int64_t s, int first, int last, Bf16 (&to)[2][kParts * kTile]) {
  constexpr __mmask32 kAll = 0xFFFFFFFF;
  const std::int64_t* const from = block.from + s * kDepth;
  for (int i = first; i < last; ++i) {
    const Bf16* const even = x + from[2 * i];
    const Bf16* const odd = x + from[2 * i + 1];
#pragma GCC unroll 3
    for (int p = 0; p < kParts; ++p) {
      const __m512i low = _mm512_loadu_si512(even + p * block.x_pitch), high = _mm512_loadu_si512(odd + p * block.x_pitch);
      _mm512_store_si512(to[0] + p * kTile + i * kDepth, _mm512_maskz_unpacklo_epi16(kAll, low, high));
      _mm512_store_si512(to[1] + p * kTile + i * kDepth, _mm512_maskz_unpackhi_epi16(kAll, low, high));
    }
  }
}

/// Sums 0 to 3 = two tiles of output channels times the two of a unit.
void multiply_2x2(const Block& block, const Unit& unit, Copies& copies) {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  const std::int64_t next_tile = block.steps * kParts * kTile;
  for (int n = 0; n < block.pair_count; ++n) {
    const Bf16* const x = block.pairs[n].x + unit.from;
    const Bf16* left = block.pairs[n].gy;
    copy_right(block, x, 0, 0, kSide, copies.tile[0]);
    for (std::int64_t s = 0; s < block.steps; ++s, left += kParts * kTile) {
      const Bf16(&right)[2][kParts * kTile] = copies.tile[s % 2];
      const auto copy_next = [&](int first, int last) IL_LAMBDA_INLINE {
        copy_right(block, x, smaller(s + 1, block.steps - 1), first, last, copies.tile[(s + 1) % 2]);
      };
      memory_barrier();
#define IL_LEFT(part)                             \
  _tile_loadd(4, left + (part)*kTile, kRowBytes); \
  _tile_loadd(5, left + next_tile + (part)*kTile, kRowBytes)
#define IL_RIGHT(part)                                \
  _tile_loadd(6, right[0] + (part)*kTile, kRowBytes); \
  _tile_loadd(7, right[1] + (part)*kTile, kRowBytes)
      IL_LEFT(0);
      IL_RIGHT(2);
      IL_MULTIPLY_2X2;
      copy_next(0, 4);
      IL_RIGHT(1);
      IL_MULTIPLY_2X2;
      copy_next(4, 8);
      IL_LEFT(1);
      IL_MULTIPLY_2X2;
      copy_next(8, 12);
      IL_RIGHT(0);
      IL_MULTIPLY_2X2;
      copy_next(12, 16);
      IL_LEFT(2);
      IL_MULTIPLY_2X2;
      IL_LEFT(0);
      IL_MULTIPLY_2X2;
      IL_STAY_AWAKE(6, copies.awake);
#undef IL_LEFT
#undef IL_RIGHT
    }
  }
}

/// Sums [output channel][column] of tile `j` of a unit to its rows of g.
void store_transposed(const float* sums, int j, const Unit& unit, float* g, std::int64_t pitch, Start start) {
  for (std::int64_t i = 0; 8 * i < unit.rows; ++i) {
    float* const to = g + (unit.row + 8 * i + 4 * j) * pitch;
    if (start == Start::kZero) {
      transpose_four_columns(sums + 4 * i, kSide, to, pitch);
      continue;
    }
    alignas(64) float rows[4 * kSide];
    transpose_four_columns(sums + 4 * i, kSide, rows, kSide);
    for (int r = 0; r < 4; ++r)
      _mm512_storeu_ps(to + r * pitch, _mm512_add_ps(_mm512_loadu_ps(to + r * pitch), _mm512_load_ps(rows + r * kSide)));
  }
}

/// gy [pixel][channel] as left operands [tile of channels][step][part][channel of the tile][pixel of the step]; pixels behind
/// `count` are zero.
void pack_left(const float* gy, std::int64_t count, std::int64_t channels, std::int64_t steps, Bf16* to, float* scratch) {
  const std::int64_t padded = steps * kDepth;
  transpose(gy, count, channels, channels, scratch, padded);
  for (std::int64_t k = 0; k < channels; ++k) {
    Bf16* tile = to + k / kSide * steps * kParts * kTile + k % kSide * kDepth;
    for (std::int64_t s = 0; s < steps; ++s, scratch += kDepth, tile += kParts * kTile)
      store_row(_mm512_loadu_ps(scratch), _mm512_loadu_ps(scratch + 16), tile, kTile);
  }
}

}  // namespace

bool serves_outer(const ConvSizes& z) {
  return z.groups == 1 && z.c % kSide == 0 && z.k % (2 * kSide) == 0 && z.c > 0 && z.r * z.s > 0 &&
         z.images * z.p * z.q >= kMinPixels;
}

void outer_rows(const ConvSizes& z, const ConvSweep& plain, const OuterSource<float>& source, int pairs, RowRange rows,
                GradRows part, float* g, Start start, Context& context) {
  const ConvSweep sweep = copied(plain);
  const std::int64_t rows_per_block = larger(1, smaller(kBlockPixels / sweep.w.out, rows_that_stay(sweep)));
  // Filter columns that are neighbours in the source make one long run of rows.
  const bool merged = sweep.w.tap_step == 1;
  const std::int64_t run = merged ? z.s * z.c : z.c, runs = merged ? 1 : z.s;
  const auto unit_at = [&](std::int64_t row, std::int64_t end) -> Unit {
    const std::int64_t i = row / run, first = row % run;
    return {sweep.tap_offset(i / runs, i % runs) + first, row, smaller(2 * kSide, smaller(run - first, end - row))};
  };
  Copies copies;
  alignas(64) float sums[4][kSide * kSide];
  for (std::int64_t row = rows.first; row < rows.last; row += rows_per_block, start = Start::kAccumulate) {
    const PixelBlock<float> pixels(sweep, {row, smaller(rows.last, row + rows_per_block)}, 0, 0, context);
    const std::int64_t plane = plane_size(pixels.copy_size()), steps = ceil_div(pixels.pixels(), kDepth), tile_steps = steps * kParts * kTile;
    const std::int64_t operands = kParts * plane + z.k / kSide * tile_steps;
    const Scratch<Bf16> packed(context, pairs * operands);
    const Scratch<float> scratch(context, z.k * steps * kDepth);
    Block block{{}, pairs, plane, pixels.from(), steps};
    for (int n = 0; n < pairs; ++n) {
      Bf16 *const x = packed.data() + n * operands, *const gy = x + kParts * plane;
      fill_planes(pixels, plane, source.x[n], x);
      pack_left(source.gy[n] + (row - rows.first) * z.q * z.k, pixels.pixels(), z.k, steps, gy, scratch.data());
      block.pairs[n] = {x, gy};
    }
    memory_barrier();
    const TileScope scope;
    for (std::int64_t k = 0; k < z.k; k += 2 * kSide) {
      Block here = block;
      for (Operand& pair : here.pairs) pair.gy += k / kSide * tile_steps;
      for (std::int64_t at = part.first, end = part.first + part.count; at < end;) {
        const Unit unit = unit_at(at, end);
        multiply_2x2(here, unit, copies);
        _tile_stored(0, sums[0], kRowBytes);
        _tile_stored(1, sums[1], kRowBytes);
        _tile_stored(2, sums[2], kRowBytes);
        _tile_stored(3, sums[3], kRowBytes);
        memory_barrier();
        for (int i = 0; i < 4; ++i) store_transposed(sums[i], i % 2, unit, g + k + i / 2 * kSide, z.k, start);
        at += unit.rows;
      }
    }
  }
}

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE::amx
