// Minimal filtering (Winograd's) along one axis: `kOutputs` neighbouring outputs of a filter of `kTaps` taps from `kPoints` products
// of a transformed source and a transformed filter, fewer than kOutputs * kTaps. Along two axes the savings multiply.
//
//   y = A^T [ (G g) . (B^T d) ]     d: kWindow source values, g: kTaps, y: kOutputs, [.]: a product for each point
//
//   source(d, p)   p = B^T d         weight(g, u)   u = G g          result(m, y)   y = A^T m
//   spread(y, m)   m = A y           collect(u, g)  g = G^T u        the adjoints of result and weight: the weight gradient is
//                                                                    G^T [ (A y) . (B^T d) ], summed over tiles
//
// All interpolate at 0, 1, -1 and infinity, so that transforms are additions and halves: errors stay those of float32 sums (the
// points 2 and 1/2 of larger tiles would cost an order of magnitude). Points may share a weight: weight_of(point) < kWeights.
// Source: A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks, 2016; S. Winograd, Arithmetic Complexity of
// Computations, 1980.
#pragma once

#include "kernels/cpu/conv_block.h"
#include "kernels/cpu/lanes.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE::winograd {

template <class V>
IL_INLINE V half(V v) {
  return v * V::broadcast(0.5f);
}

/// F(2, 3): three taps, stride 1; 4 products for 6.
struct Three {
  static constexpr int kTaps = 3, kStep = 1, kOutputs = 2, kWindow = 4, kPoints = 4, kWeights = 4;
  static constexpr int weight_of(int point) { return point; }

  template <class V>
  IL_INLINE static void source(const V* d, V* p) {
    p[0] = d[0] - d[2];
    p[1] = d[1] + d[2];
    p[2] = d[2] - d[1];
    p[3] = d[1] - d[3];
  }
  template <class V>
  IL_INLINE static void weight(const V* g, V* u) {
    const V even = g[0] + g[2];
    u[0] = g[0];
    u[1] = half(even + g[1]);
    u[2] = half(even - g[1]);
    u[3] = g[2];
  }
  template <class V>
  IL_INLINE static void result(const V* m, V* y) {
    y[0] = m[0] + (m[1] + m[2]);
    y[1] = (m[1] - m[2]) - m[3];
  }
  template <class V>
  IL_INLINE static void spread(const V* y, V* m) {
    m[0] = y[0];
    m[1] = y[0] + y[1];
    m[2] = y[0] - y[1];
    m[3] = V::zero() - y[1];
  }
  template <class V>
  IL_INLINE static void collect(const V* u, V* g) {
    const V even = half(u[1] + u[2]);
    g[0] = u[0] + even;
    g[1] = half(u[1] - u[2]);
    g[2] = even + u[3];
  }
};

/// F(3, 2): two taps, stride 1; 4 products for 6.
struct Two {
  static constexpr int kTaps = 2, kStep = 1, kOutputs = 3, kWindow = 4, kPoints = 4, kWeights = 4;
  static constexpr int weight_of(int point) { return point; }

  template <class V>
  IL_INLINE static void source(const V* d, V* p) {
    Three::source(d, p);
  }
  template <class V>
  IL_INLINE static void weight(const V* g, V* u) {
    u[0] = g[0];
    u[1] = half(g[0] + g[1]);
    u[2] = half(g[0] - g[1]);
    u[3] = g[1];
  }
  template <class V>
  IL_INLINE static void result(const V* m, V* y) {
    const V even = m[1] + m[2];
    y[0] = m[0] + even;
    y[1] = m[1] - m[2];
    y[2] = even - m[3];
  }
  template <class V>
  IL_INLINE static void spread(const V* y, V* m) {
    const V even = y[0] + y[2];
    m[0] = y[0];
    m[1] = even + y[1];
    m[2] = even - y[1];
    m[3] = V::zero() - y[2];
  }
  template <class V>
  IL_INLINE static void collect(const V* u, V* g) {
    g[0] = u[0] + half(u[1] + u[2]);
    g[1] = half(u[1] - u[2]) + u[3];
  }
};

/// One tap: nothing to save along this axis; three outputs, as Two, which it meets along the other one.
struct One {
  static constexpr int kTaps = 1, kStep = 1, kOutputs = 3, kWindow = 3, kPoints = 3, kWeights = 1;
  static constexpr int weight_of(int) { return 0; }

  template <class V>
  IL_INLINE static void copy(const V* from, V* to) {
    for (int i = 0; i < 3; ++i) to[i] = from[i];
  }
  template <class V>
  IL_INLINE static void source(const V* d, V* p) {
    copy(d, p);
  }
  template <class V>
  IL_INLINE static void weight(const V* g, V* u) {
    u[0] = g[0];
  }
  template <class V>
  IL_INLINE static void result(const V* m, V* y) {
    copy(m, y);
  }
  template <class V>
  IL_INLINE static void spread(const V* y, V* m) {
    copy(y, m);
  }
  template <class V>
  IL_INLINE static void collect(const V* u, V* g) {
    g[0] = u[0];
  }
};

/// Three taps, stride 2: the even source positions meet taps 0 and 2 as in F(3, 2), the odd ones tap 1; 7 products for 9.
struct Strided {
  static constexpr int kTaps = 3, kStep = 2, kOutputs = 3, kWindow = 7, kPoints = 7, kWeights = 5;
  static constexpr int weight_of(int point) { return point < 4 ? point : 4; }

  template <class V>
  IL_INLINE static void source(const V* d, V* p) {
    const V even[4] = {d[0], d[2], d[4], d[6]};
    Two::source(even, p);
    for (int i = 0; i < 3; ++i) p[4 + i] = d[2 * i + 1];
  }
  template <class V>
  IL_INLINE static void weight(const V* g, V* u) {
    const V even[2] = {g[0], g[2]};
    Two::weight(even, u);
    u[4] = g[1];
  }
  template <class V>
  IL_INLINE static void result(const V* m, V* y) {
    Two::result(m, y);
    for (int i = 0; i < 3; ++i) y[i] = y[i] + m[4 + i];
  }
  template <class V>
  IL_INLINE static void spread(const V* y, V* m) {
    Two::spread(y, m);
    for (int i = 0; i < 3; ++i) m[4 + i] = y[i];
  }
  template <class V>
  IL_INLINE static void collect(const V* u, V* g) {
    V even[2];
    Two::collect(u, even);
    g[0] = even[0];
    g[1] = u[4];
    g[2] = even[1];
  }
};

/// An algorithm's maps, each with what it takes and gives.
template <class Algorithm>
struct Source {
  static constexpr int kIn = Algorithm::kWindow, kOut = Algorithm::kPoints;
  IL_INLINE static void apply(const Vec<float>* from, Vec<float>* to) { Algorithm::source(from, to); }
};
template <class Algorithm>
struct Weight {
  static constexpr int kIn = Algorithm::kTaps, kOut = Algorithm::kWeights;
  IL_INLINE static void apply(const Vec<float>* from, Vec<float>* to) { Algorithm::weight(from, to); }
};
template <class Algorithm>
struct Result {
  static constexpr int kIn = Algorithm::kPoints, kOut = Algorithm::kOutputs;
  IL_INLINE static void apply(const Vec<float>* from, Vec<float>* to) { Algorithm::result(from, to); }
};
template <class Algorithm>
struct Spread {
  static constexpr int kIn = Algorithm::kOutputs, kOut = Algorithm::kPoints;
  IL_INLINE static void apply(const Vec<float>* from, Vec<float>* to) { Algorithm::spread(from, to); }
};
template <class Algorithm>
struct Collect {
  static constexpr int kIn = Algorithm::kWeights, kOut = Algorithm::kTaps;
  IL_INLINE static void apply(const Vec<float>* from, Vec<float>* to) { Algorithm::collect(from, to); }
};

/// A map of both axes: rows first, then the columns of what they give. load(row, column) is a value, store(row, column, value) takes one.
template <template <class> class Map, class H, class W, class Load, class Store>
IL_INLINE void on_both_axes(const Load& load, const Store& store) {
  using V = Vec<float>;
  using Down = Map<H>;
  using Across = Map<W>;
  V half_way[Down::kIn][Across::kOut];
#pragma GCC unroll 8
  for (int i = 0; i < Down::kIn; ++i) {
    V row[Across::kIn];
#pragma GCC unroll 8
    for (int j = 0; j < Across::kIn; ++j) row[j] = load(i, j);
    Across::apply(row, half_way[i]);
  }
#pragma GCC unroll 8
  for (int j = 0; j < Across::kOut; ++j) {
    V column[Down::kIn], out[Down::kOut];
#pragma GCC unroll 8
    for (int i = 0; i < Down::kIn; ++i) column[i] = half_way[i][j];
    Down::apply(column, out);
#pragma GCC unroll 8
    for (int i = 0; i < Down::kOut; ++i) store(i, j, out[i]);
  }
}

template <class Algorithm>
bool fits(const Axis& axis) {
  return axis.taps == Algorithm::kTaps && axis.in_step == Algorithm::kStep && axis.tap_step == 1;
}

/// Calls f(h, w) with the algorithms of both axes, if there are any worth it; returns whether there are.
template <class F>
IL_INLINE bool with_algorithms(const ConvSweep& sweep, const F& f) {
  if (fits<Three>(sweep.h) && fits<Three>(sweep.w)) return f(Three{}, Three{}), true;
  if (fits<Strided>(sweep.h) && fits<Strided>(sweep.w)) return f(Strided{}, Strided{}), true;
  if (fits<Two>(sweep.h) && fits<Two>(sweep.w)) return f(Two{}, Two{}), true;
  if (fits<Two>(sweep.h) && fits<One>(sweep.w)) return f(Two{}, One{}), true;
  if (fits<One>(sweep.h) && fits<Two>(sweep.w)) return f(One{}, Two{}), true;
  return false;
}

/// Whether a sweep over whole vectors of channels makes so many fewer products that the transforms are worth their time.
inline bool pays(const ConvSweep& sweep) {
  constexpr std::int64_t kMinSaved = 256;  // products of a channel pair: the filter's own transforms cost as much as some tens
  bool yes = false;
  with_algorithms(sweep, [&](auto h, auto w) {
    const std::int64_t direct = sweep.h.out * sweep.w.out * sweep.h.taps * sweep.w.taps;
    const std::int64_t tiles = ceil_div(sweep.h.out, h.kOutputs) * ceil_div(sweep.w.out, w.kOutputs);
    const std::int64_t fewer = tiles * h.kPoints * w.kPoints;
    yes = 5 * fewer <= 4 * direct && sweep.images * (direct - fewer) >= kMinSaved;
  });
  constexpr int kLanes = Vec<float>::kLanes;
  return yes && sweep.channels > 0 && sweep.channels % kLanes == 0 && sweep.out_channels % kLanes == 0;
}

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE::winograd
