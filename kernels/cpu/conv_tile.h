// The two register tiles that every convolution is made of.
//
//   gather tile   y[p][k]   (+)= sum over taps, over c, of  x_tap[p][c] * w_tap[c][k]      forward and input gradient
//   outer tile    g[m][k]   (+)= sum over pixels p     of  x[p][row m]  * gy[p][k]         weight gradient
//
// Both keep an array of accumulators [broadcast operand][vectors of output channels] in registers; one scalar is
// broadcast against kVectors vectors. Pixels and rows are reached through tables of offsets, so that a tile may cross
// image rows and whole images: kernel size, stride, dilation, padding and groups are nothing but table contents.
// A tile sums its own products in one chain of multiply-adds in a fixed order, and adds the finished sum to what its
// destination holds: which tile an output falls into never shows in the bits. (To start the chain from the destination
// instead cost 5 to 20 %: the accumulators' loads do not overlap the loop.)
#pragma once

#include "kernels/cpu/simd.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

/// What a tile does to its destination.
enum class Start { kZero, kAccumulate };

/// One contiguous stretch of products: x[0..length) against rows 0..length of a weight panel.
template <class T>
struct Tap {
  const T* x;
  const T* w;
};

/// Writes the leading `width` of `pitch` elements of each of `rows` rows of `values` to targets[row].
template <class T>
[[gnu::noinline]] void store_part(const T* values, int rows, int pitch, int width, Start start, T* const* targets) {
  for (int row = 0; row < rows; ++row, values += pitch) {
    T* const to = targets[row];
    for (int i = 0; i < width; ++i) to[i] = start == Start::kAccumulate ? to[i] + values[i] : values[i];
  }
}

/// Writes a tile's accumulators to target(row). Incomplete tiles go through memory and a call, the only one of a tile:
/// accumulators that were still needed after a call would be kept in memory all along.
template <class T, int kRows, int kVectors, class Target>
IL_INLINE void store_tile(const Vec<T> (&acc)[kRows][kVectors], int valid, int last_lanes, Start start,
                          const Target& target) {
  using V = Vec<T>;
  if (valid < kRows || last_lanes < V::kLanes) {
    T values[kRows * kVectors * V::kLanes];
#pragma GCC unroll 32
    for (int row = 0; row < kRows; ++row) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) acc[row][v].store(values + (row * kVectors + v) * V::kLanes);
    }
    T* targets[kRows];
    for (int row = 0; row < valid; ++row) targets[row] = target(row);
    return store_part(values, valid, kVectors * V::kLanes, (kVectors - 1) * V::kLanes + last_lanes, start, targets);
  }
#pragma GCC unroll 32
  for (int row = 0; row < kRows; ++row) {
    T* const to = target(row);
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      V value = acc[row][v];
      if (start == Start::kAccumulate) value = V::load(to + v * V::kLanes) + value;
      value.store(to + v * V::kLanes);
    }
  }
}

/// `p`, computed here and now. Without it the compiler hoists every address of an unrolled loop out of it, and spills
/// the accumulators to make room for them.
template <class P>
IL_INLINE const P* opaque(const P* p) {
  asm("" : "+r"(p));
  return p;
}

template <class T>
struct GatherWork {
  const Tap<T>* taps;
  int tap_count;
  std::int64_t length;       ///< products of a tap
  std::int64_t pitch;        ///< elements from one row of a weight panel to the next
  const std::int64_t* from;  ///< offset of each pixel from a tap's x; readable kAccumulators entries past the last
  const std::int64_t* to;    ///< offset of each pixel in y
  std::int64_t pixels;
  T* y;
  int last_lanes;  ///< valid lanes of the last vector
  Start start;
};

/// acc[p][...] += sum over u < kRows of x[from[p] + u] * row u of w.
template <class T, int kPixels, int kVectors, int kRows>
IL_INLINE void multiply_panel(const T* x, const std::int64_t* from, const T* w, std::int64_t pitch,
                              Vec<T> (&acc)[kPixels][kVectors]) {
  using V = Vec<T>;
  V weight[kRows][kVectors];
#pragma GCC unroll 4
  for (int u = 0; u < kRows; ++u) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) weight[u][v] = V::load(w + u * pitch + v * V::kLanes);
  }
#pragma GCC unroll 32
  for (int p = 0; p < kPixels; ++p) {
    const T* const at = kRows > 1 ? opaque(x + from[p]) : x + from[p];
#pragma GCC unroll 4
    for (int u = 0; u < kRows; ++u) {
      const V scalar = V::broadcast(at[u]);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) acc[p][v] = fma(scalar, weight[u][v], acc[p][v]);
    }
  }
}

/// Pixels [at, at + kPixels), of which the first `valid` are stored; takes kUnroll of a tap's products at once.
template <class T, int kPixels, int kVectors, int kUnroll = 1>
void gather_tile(const GatherWork<T>& work, std::int64_t at, int valid) {
  using V = Vec<T>;
  V acc[kPixels][kVectors];
#pragma GCC unroll 32
  for (int p = 0; p < kPixels; ++p) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) acc[p][v] = V::zero();
  }
  std::int64_t from[kPixels];
  for (int p = 0; p < kPixels; ++p) from[p] = work.from[at + p];
  const std::int64_t length = work.length, pitch = work.pitch;
  for (int t = 0; t < work.tap_count; ++t) {
    const T* x = work.taps[t].x;
    const T* w = work.taps[t].w;
    for (std::int64_t c = 0; c < length; c += kUnroll, x += kUnroll, w += kUnroll * pitch) {
      multiply_panel<T, kPixels, kVectors, kUnroll>(x, kUnroll > 1 ? opaque(work.from + at) : from, w, pitch, acc);
    }
  }
  store_tile<T>(acc, valid, work.last_lanes, work.start, [&](int p) { return work.y + work.to[at + p]; });
}

/// All pixels of `work`, for one block of kVectors vectors of output channels.
template <class T, int kVectors>
void gather_block(const GatherWork<T>& work) {
  constexpr int kFull = kAccumulators / kVectors, kHalf = (kFull + 1) / 2, kQuarter = (kFull + 3) / 4;
  // A tile one vector wide has more pixels than there are address registers. It reads their offsets from the table as
  // it goes, and each then serves three products, since every filter row of a 3-wide filter divides by three, or four.
  std::int64_t at = 0;
  if constexpr (kFull > 12) {
    for (; work.length % 3 == 0 && at + kFull <= work.pixels; at += kFull) gather_tile<T, kFull, kVectors, 3>(work, at, kFull);
    for (; work.length % 4 == 0 && at + kFull <= work.pixels; at += kFull) gather_tile<T, kFull, kVectors, 4>(work, at, kFull);
  }
  if constexpr (kFull == 12) {
    for (; work.length % 2 == 0 && at + kFull <= work.pixels; at += kFull) gather_tile<T, kFull, kVectors, 2>(work, at, kFull);
  }
  for (; at < work.pixels; at += kFull) {
    const std::int64_t left = work.pixels - at;
    if (left >= kFull) gather_tile<T, kFull, kVectors>(work, at, kFull);
    else if (left > kHalf) gather_tile<T, kFull, kVectors>(work, at, static_cast<int>(left));
    else if (left > kQuarter) gather_tile<T, kHalf, kVectors>(work, at, static_cast<int>(left));
    else gather_tile<T, kQuarter, kVectors>(work, at, static_cast<int>(left));
  }
}

template <class T>
struct OuterPair {
  const T* x;
  const T* gy;
};

template <class T>
struct OuterWork {
  const OuterPair<T>* pairs;
  int pair_count;
  const std::int64_t* from;  ///< offset of each pixel from a pair's x
  std::int64_t pixels;
  std::int64_t gy_pitch;     ///< elements from one pixel of gy to the next
  const std::int64_t* rows;  ///< offset of each row from a pixel; readable kAccumulators entries past the last
  std::int64_t row_count;
  T* g;
  std::int64_t g_pitch;
  int last_lanes;
  Start start;
};

/// Whether the rows of an outer tile are neighbours in memory, which spares it their offsets.
enum class Rows { kTable, kAdjacent };

/// Rows [at, at + kRows), of which the first `valid` are stored.
template <class T, int kRows, int kVectors, Rows kPlacement = Rows::kTable>
void outer_tile(const OuterWork<T>& work, std::int64_t at, int valid) {
  using V = Vec<T>;
  V acc[kRows][kVectors];
  std::int64_t rows[kRows];
#pragma GCC unroll 32
  for (int m = 0; m < kRows; ++m) {
    rows[m] = kPlacement == Rows::kAdjacent ? m : work.rows[at + m];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) acc[m][v] = V::zero();
  }
  const std::int64_t pitch = work.gy_pitch, pixels = work.pixels;
  const std::int64_t* const from = work.from;
  for (int i = 0; i < work.pair_count; ++i) {
    const T* const base = work.pairs[i].x + (kPlacement == Rows::kAdjacent ? work.rows[at] : 0);
    const T* gy = work.pairs[i].gy;
    for (std::int64_t p = 0; p < pixels; ++p, gy += pitch) {
      const T* const x = base + from[p];
      V right[kVectors];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) right[v] = V::load(gy + v * V::kLanes);
#pragma GCC unroll 32
      for (int m = 0; m < kRows; ++m) {
        const V scalar = V::broadcast(x[rows[m]]);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) acc[m][v] = fma(scalar, right[v], acc[m][v]);
      }
    }
  }
  store_tile<T>(acc, valid, work.last_lanes, work.start, [&](int m) { return work.g + (at + m) * work.g_pitch; });
}

/// All rows of `work`, kRows at a time.
template <class T, int kRows, int kVectors>
void outer_tiles(const OuterWork<T>& work) {
  for (std::int64_t at = 0; at < work.row_count; at += kRows) {
    const bool adjacent = work.rows[at + kRows - 1] - work.rows[at] == kRows - 1;  // offsets rise by one or more
    adjacent ? outer_tile<T, kRows, kVectors, Rows::kAdjacent>(work, at, kRows) : outer_tile<T, kRows, kVectors>(work, at, kRows);
  }
}

/// All rows of `work`, for one block of kVectors vectors of output channels.
template <class T, int kVectors>
void outer_block(const OuterWork<T>& work) {
  constexpr int kFull = kAccumulators / kVectors, kHalf = (kFull + 1) / 2, kQuarter = (kFull + 3) / 4;
  // Sizes that leave no rows over, where whole tiles would: 16 and 32 channels, and filters of 3x3 over 1 and 3.
  constexpr int kShort = kFull * 2 / 3, kFilter = 9;
  const std::int64_t unused = kFull - 1 - (work.row_count - 1) % kFull;
  if (unused * 16 > work.row_count) {
    if (work.row_count % kShort == 0) return outer_tiles<T, kShort, kVectors>(work);
    if constexpr (kFull > kFilter)
      if (work.row_count % kFilter == 0) return outer_tiles<T, kFilter, kVectors>(work);
  }
  OuterWork<T> whole = work;
  whole.row_count -= work.row_count % kFull;
  outer_tiles<T, kFull, kVectors>(whole);
  const std::int64_t at = whole.row_count, left = work.row_count - at;
  if (left > kHalf) outer_tile<T, kFull, kVectors>(work, at, static_cast<int>(left));
  else if (left > kQuarter) outer_tile<T, kHalf, kVectors>(work, at, static_cast<int>(left));
  else if (left > 0) outer_tile<T, kQuarter, kVectors>(work, at, static_cast<int>(left));
}

/// Cuts `channels` output channels into balanced blocks of at most kMaxVectors vectors and calls
/// body(first channel, vectors, valid lanes of the last vector) for each.
inline constexpr int kMaxVectors = kAccumulators == 24 ? 4 : 2;

template <class T, class Body>
IL_INLINE void for_channel_blocks(std::int64_t channels, const Body& body) {
  constexpr int kLanes = Vec<T>::kLanes;
  std::int64_t vectors = (channels + kLanes - 1) / kLanes;
  std::int64_t blocks = (vectors + kMaxVectors - 1) / kMaxVectors;
  for (std::int64_t first = 0; blocks > 0; --blocks) {
    const std::int64_t here = (vectors + blocks - 1) / blocks;
    const std::int64_t left = channels - first;
    const std::int64_t last = left - (here - 1) * kLanes;
    body(first, static_cast<int>(here), static_cast<int>(last < kLanes ? last : kLanes));
    first += here * kLanes;
    vectors -= here;
  }
}

template <class T>
IL_INLINE void gather_blocks(const GatherWork<T>& work, int vectors) {
  switch (vectors) {
    case 1: return gather_block<T, 1>(work);
    case 2: return gather_block<T, 2>(work);
#if defined(__AVX512F__)
    case 3: return gather_block<T, 3>(work);
    case 4: return gather_block<T, 4>(work);
#endif
    default: return;
  }
}

template <class T>
IL_INLINE void outer_stretch(const OuterWork<T>& work, int vectors) {
  switch (vectors) {
    case 1: return outer_block<T, 1>(work);
    case 2: return outer_block<T, 2>(work);
#if defined(__AVX512F__)
    case 3: return outer_block<T, 3>(work);
    case 4: return outer_block<T, 4>(work);
#endif
    default: return;
  }
}

/// Pixels that an outer tile takes before it adds its sums to memory: few enough that their gy stays in the first-level
/// cache from one row tile to the next (64 pixels of 64 f32 channels are 16 KiB), which beat 96 and 128 by 5 %.
inline constexpr std::int64_t kStretch = 64;

template <class T>
void outer_blocks(const OuterWork<T>& all, int vectors) {
  OuterWork<T> work = all;
  OuterPair<T> pairs[2] = {all.pairs[0], all.pairs[all.pair_count - 1]};
  work.pairs = pairs;
  for (std::int64_t at = 0; at < all.pixels; at += kStretch) {
    work.from = all.from + at;
    work.pixels = all.pixels - at < kStretch ? all.pixels - at : kStretch;
    outer_stretch(work, vectors);
    for (OuterPair<T>& pair : pairs) pair.gy += kStretch * all.gy_pitch;
    work.start = Start::kAccumulate;
  }
}

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
