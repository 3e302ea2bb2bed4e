// The tiles of a depthwise convolution (one input and one output channel a group): no channel meets another, so vectors
// run over channels and every product loads both of its operands.
//
//   gather   y[p][c]   (+)= sum over taps of   x_tap[p][c] * w_tap[c]
//   outer    g[tap][c] (+)= sum over pixels p of x[p][tap][c] * gy[p][c]
#pragma once

#include "kernels/cpu/conv_tile.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

/// Vec's operations on one lane, for the channels that fill no vector.
template <class T>
struct One {
  static constexpr int kLanes = 1;
  T v;
  IL_INLINE static One load(const T* p) { return {*p}; }
  IL_INLINE static One zero() { return {T{0}}; }
  IL_INLINE void store(T* p) const { *p = v; }
  IL_INLINE friend One operator+(One a, One b) { return {a.v + b.v}; }
  IL_INLINE friend One fma(One a, One b, One c) { return {a.v * b.v + c.v}; }
};

inline constexpr int kDepthwiseTile = 8;

template <class T, class V>
IL_INLINE void depthwise_gather_tile(const GatherWork<T>& work, std::int64_t at, std::int64_t channel) {
  const int valid = static_cast<int>(work.pixels - at < kDepthwiseTile ? work.pixels - at : kDepthwiseTile);
  V acc[kDepthwiseTile];
  std::int64_t from[kDepthwiseTile];
#pragma GCC unroll 8
  for (int p = 0; p < kDepthwiseTile; ++p) {
    acc[p] = V::zero();
    from[p] = work.from[at + p] + channel;
  }
  for (int t = 0; t < work.tap_count; ++t) {
    const T* const x = work.taps[t].x;
    const V weight = V::load(work.taps[t].w + channel);
#pragma GCC unroll 8
    for (int p = 0; p < kDepthwiseTile; ++p) acc[p] = fma(V::load(x + from[p]), weight, acc[p]);
  }
#pragma GCC unroll 8
  for (int p = 0; p < kDepthwiseTile; ++p) {
    if (p >= valid) break;
    T* const y = work.y + work.to[at + p] + channel;
    (work.start == Start::kAccumulate ? V::load(y) + acc[p] : acc[p]).store(y);
  }
}

/// All pixels of `work` and all `channels`.
template <class T>
void depthwise_gather(const GatherWork<T>& work, std::int64_t channels) {
  for (std::int64_t at = 0; at < work.pixels; at += kDepthwiseTile) {
    std::int64_t c = 0;
    for (; c + Vec<T>::kLanes <= channels; c += Vec<T>::kLanes) depthwise_gather_tile<T, Vec<T>>(work, at, c);
    for (; c < channels; ++c) depthwise_gather_tile<T, One<T>>(work, at, c);
  }
}

template <class T, class V>
IL_INLINE void depthwise_outer_tile(const OuterWork<T>& work, std::int64_t at, std::int64_t channel) {
  const int valid = static_cast<int>(work.row_count - at < kDepthwiseTile ? work.row_count - at : kDepthwiseTile);
  V acc[kDepthwiseTile];
  std::int64_t rows[kDepthwiseTile];
#pragma GCC unroll 8
  for (int m = 0; m < kDepthwiseTile; ++m) {
    acc[m] = V::zero();
    rows[m] = work.rows[at + m] + channel;
  }
  for (int i = 0; i < work.pair_count; ++i) {
    const T* gy = work.pairs[i].gy + channel;
    for (std::int64_t p = 0; p < work.pixels; ++p, gy += work.gy_pitch) {
      const T* const x = work.pairs[i].x + work.from[p];
      const V right = V::load(gy);
#pragma GCC unroll 8
      for (int m = 0; m < kDepthwiseTile; ++m) acc[m] = fma(V::load(x + rows[m]), right, acc[m]);
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < kDepthwiseTile; ++m) {
    if (m >= valid) break;
    T* const g = work.g + (at + m) * work.g_pitch + channel;
    (work.start == Start::kAccumulate ? V::load(g) + acc[m] : acc[m]).store(g);
  }
}

/// All rows (taps) of `work` and all `channels`.
template <class T>
void depthwise_outer(const OuterWork<T>& work, std::int64_t channels) {
  for (std::int64_t at = 0; at < work.row_count; at += kDepthwiseTile) {
    std::int64_t c = 0;
    for (; c + Vec<T>::kLanes <= channels; c += Vec<T>::kLanes) depthwise_outer_tile<T, Vec<T>>(work, at, c);
    for (; c < channels; ++c) depthwise_outer_tile<T, One<T>>(work, at, c);
  }
}

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
