// Products of float32 matrices on AMX tiles, whose own products are of bfloat16.
//
// A float32 number is the exact sum of three bfloat16 numbers: x = h + m + l, h rounded to nearest, m and l what is left
// of its 24 bits, 8 at a time. Of the nine products of two such sums six are made,
//
//   x*w = hh + (hm + mh) + (hl + mm + lh) + [ml + lm + ll],
//
// each exact (8 x 8 bits) and summed in float32 by the hardware. What is left out is below 2^-24 |x*w|: half a unit in the
// last place of a float32 product, which is what rounding costs a float32 multiplication. Measured against float64, the error of a
// convolution is that of multiply-adds where signs are mixed, and at most twice it where all products have one sign, since a sum
// is rounded six times a step (tests/kernels/conv_tiles.cpp). At 16 times the multiply-adds of a
// vector unit, six in the place of one are still 2.7 times as fast. (The same idea on a GPU's tensor cores is called 3xTF32:
// Ootomo, Yokota, IJHPCA 36:475, 2022.)
//
// Differences from float32: an infinity, or a finite number above 3.39e38, makes a NaN; numbers and products below 2^-110 or so
// lose bits, since the unit takes subnormal numbers for zero.
//
// A tile holds 16 rows of 64 bytes. _tile_dpbf16ps adds A [rows][32] times B [32][16], where B lies in pairs of rows:
// B[i][n][0..1] are rows 2i and 2i + 1 of column n.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/cpu/simd.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE::amx {

using Bf16 = std::uint16_t;

inline constexpr int kParts = 3;                     ///< h, m, l
inline constexpr std::int64_t kDepth = 32;           ///< products that a tile sums
inline constexpr std::int64_t kSide = 16;            ///< rows, and float32 columns, of a tile
inline constexpr std::int64_t kRowBytes = 64;          ///< of a tile
inline constexpr std::int64_t kTile = kSide * kDepth;  ///< elements of a tile of bfloat16

/// All eight tiles of full size: 0 to 3 for sums, 4 and 5 for left operands, 6 and 7 for right ones. The configuration is the
/// thread's; nothing is left of it when the scope ends.
class TileScope {
 public:
  TileScope() {
    struct alignas(64) {
      std::uint8_t palette = 1, start = 0, reserved[14] = {};
      std::uint16_t row_bytes[16] = {};
      std::uint8_t rows[16] = {};
    } config;
    for (int i = 0; i < 8; ++i) {
      config.row_bytes[i] = kRowBytes;
      config.rows[i] = kSide;
    }
    asm volatile("ldtilecfg %0" : : "m"(config));
  }
  ~TileScope() { _tile_release(); }
  TileScope(const TileScope&) = delete;
  TileScope& operator=(const TileScope&) = delete;
};

/// The compiler does not know that tiles read and write memory: between stores and tile loads, and the other way round.
IL_INLINE void memory_barrier() { asm volatile("" ::: "memory"); }

/// A tile store that comes half a microsecond or more after the last one costs 250 ns, in which no products are made; otherwise
/// 20 (measured, Xeon of family 6, model 167). So every step stores one of its operands where nobody reads it: a kernel of 9 steps
/// runs at 625 GFLOP/s that way, at 490 without.
#define IL_STAY_AWAKE(tile, scratch) _tile_stored(tile, scratch, kRowBytes)

/// Sums 0 to 3 += left operands (4, 5) times right operands (6, 7).
#define IL_MULTIPLY_2X2    \
  _tile_dpbf16ps(0, 4, 6); \
  _tile_dpbf16ps(1, 4, 7); \
  _tile_dpbf16ps(2, 5, 6); \
  _tile_dpbf16ps(3, 5, 7)

/// The parts of 16 numbers, each in the upper half of its lane, the lower half zero.
struct Split {
  __m512i part[kParts];
};

/// (The full masks here and below keep GCC 12 from warning about its own undefined operand.)
IL_INLINE Split split(__m512 x) {
  const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xFFFF0000));
  const __m512i h = _mm512_and_si512(_mm512_add_epi32(_mm512_castps_si512(x), _mm512_set1_epi32(0x8000)), upper);
  const __m512 rest = _mm512_sub_ps(x, _mm512_castsi512_ps(h));
  const __m512i m = _mm512_and_si512(_mm512_castps_si512(rest), upper);
  const __m512 last = _mm512_sub_ps(rest, _mm512_castsi512_ps(m));
  return {{h, m, _mm512_castps_si512(last)}};
}

/// to[part*pitch + i] = part of x[i], for 32 numbers: a left operand's row.
IL_INLINE void store_row(__m512 low, __m512 high, Bf16* to, std::int64_t pitch) {
  const __m512i odd_words = _mm512_set_epi16(63, 61, 59, 57, 55, 53, 51, 49, 47, 45, 43, 41, 39, 37, 35, 33, 31, 29, 27, 25, 23,
                                             21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
  const Split a = split(low), b = split(high);
#pragma GCC unroll 3
  for (int i = 0; i < kParts; ++i)
    _mm512_storeu_si512(to + i * pitch, _mm512_permutex2var_epi16(a.part[i], odd_words, b.part[i]));
}

/// Two rows of 16 columns side by side, to[part*pitch + 2n + j] = part of row j, column n: a right operand's row.
IL_INLINE void store_pair(__m512 row_0, __m512 row_1, Bf16* to, std::int64_t pitch) {
  const Split a = split(row_0), b = split(row_1);
#pragma GCC unroll 3
  for (int i = 0; i < kParts; ++i)
    _mm512_storeu_si512(to + i * pitch, _mm512_or_si512(_mm512_maskz_srli_epi32(0xFFFF, a.part[i], 16), b.part[i]));
}

/// Parts of `count` numbers, a multiple of 16, to planes that lie `pitch` apart.
IL_INLINE void split_line(const float* from, std::int64_t count, Bf16* to, std::int64_t pitch) {
  std::int64_t i = 0;
  for (; i + 32 <= count; i += 32) store_row(_mm512_loadu_ps(from + i), _mm512_loadu_ps(from + i + 16), to + i, pitch);
  if (i == count) return;
  const Split rest = split(_mm512_loadu_ps(from + i));
  for (int p = 0; p < kParts; ++p) {
    const __m512i words = _mm512_maskz_srli_epi32(0xFFFF, rest.part[p], 16);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + p * pitch + i), _mm512_maskz_cvtepi32_epi16(0xFFFF, words));
  }
}

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE::amx
