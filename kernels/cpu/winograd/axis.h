// Minimal filtering (Winograd's) along one axis: `kOutputs` neighbouring outputs of a filter of `kTaps` taps from `kPoints` products
// of a transformed source and a transformed filter, fewer than kOutputs * kTaps. Along two axes the savings multiply.
//
//   y = A^T [ (G g) . (B^T d) ]     d: kWindow source values, g: kTaps, y: kOutputs, [.]: a product for each point
//
//   source(d, p)   p = B^T d         weight(g, u)   u = G g          result(m, y)   y = A^T m
//   spread(y, m)   m = A y           collect(u, g)  g = G^T u        the adjoints of result and weight: the weight gradient is
//                                                                    G^T [ (A y) . (B^T d) ], summed over tiles
//
// All but Wide interpolate at 0, 1, -1 and infinity, so that transforms are additions and halves: errors stay below those of direct
// float32 sums. Points may share a weight: weight_of(point) < kWeights.
// Source: A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks, 2016; S. Winograd, Arithmetic Complexity of
// Computations, 1980.
#pragma once

#include "kernels/cpu/conv_block.h"
#include "kernels/cpu/lanes.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE::winograd {

/// Values of a map half made that stay in registers beside their operands: 20 of 32 registers, 12 or 8 of 16.
inline constexpr int kHeld = kAccumulators > 20 ? 20 : kAccumulators;

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

/// F(4, 3): three taps, stride 1; 6 products for 12. It interpolates at 0, 5/8, -5/8, 3/2, -3/2 and infinity: of all pairs of
/// sixteenths about the best; errors are two to four times those of a direct float32 sum, half of what the usual 1 and 2 give. The
/// constants of `source`, `result` and `spread` are exact in float32.
struct Wide {
  static constexpr int kTaps = 3, kStep = 1, kOutputs = 4, kWindow = 6, kPoints = 6, kWeights = 6;
  static constexpr int weight_of(int point) { return point; }

  template <class V>
  IL_INLINE static void source(const V* d, V* p) {
    const V near = number<V>(-kA * kA), far = number<V>(-kB * kB), both = number<V>(kA * kA * kB * kB);
    const V sum = number<V>(-(kA * kA + kB * kB));
    p[0] = fma(both, d[0], fma(sum, d[2], d[4]));
    pair(number<V>(kA), fma(far, d[2], d[4]), fma(far, d[1], d[3]), p + 1);
    pair(number<V>(kB), fma(near, d[2], d[4]), fma(near, d[1], d[3]), p + 3);
    p[5] = fma(both, d[1], fma(sum, d[3], d[5]));
  }
  template <class V>
  IL_INLINE static void weight(const V* g, V* u) {
    u[0] = number<V>(kWeight0) * g[0];
    pair(number<V>(kA * kWeightA), fma(number<V>(kA * kA * kWeightA), g[2], number<V>(kWeightA) * g[0]), g[1], u + 1);
    pair(number<V>(kB * kWeightB), fma(number<V>(kB * kB * kWeightB), g[2], number<V>(kWeightB) * g[0]), g[1], u + 3);
    u[5] = g[2];
  }
  template <class V>
  IL_INLINE static void result(const V* m, V* y) {
    const V even_a = m[1] + m[2], odd_a = m[1] - m[2], even_b = m[3] + m[4], odd_b = m[3] - m[4];
    y[0] = m[0] + (even_a + even_b);
    y[1] = fma(number<V>(kB), odd_b, number<V>(kA) * odd_a);
    y[2] = fma(number<V>(kB * kB), even_b, number<V>(kA * kA) * even_a);
    y[3] = fma(number<V>(kB * kB * kB), odd_b, fma(number<V>(kA * kA * kA), odd_a, m[5]));
  }
  template <class V>
  IL_INLINE static void spread(const V* y, V* m) {
    m[0] = y[0];
    pair(number<V>(kA), fma(number<V>(kA * kA), y[2], y[0]), fma(number<V>(kA * kA), y[3], y[1]), m + 1);
    pair(number<V>(kB), fma(number<V>(kB * kB), y[2], y[0]), fma(number<V>(kB * kB), y[3], y[1]), m + 3);
    m[5] = y[3];
  }
  template <class V>
  IL_INLINE static void collect(const V* u, V* g) {
    const V even_a = number<V>(kWeightA) * (u[1] + u[2]), even_b = number<V>(kWeightB) * (u[3] + u[4]);
    g[0] = fma(number<V>(kWeight0), u[0], even_a + even_b);
    g[1] = fma(number<V>(kA * kWeightA), u[1] - u[2], number<V>(kB * kWeightB) * (u[3] - u[4]));
    g[2] = fma(number<V>(kA * kA), even_a, fma(number<V>(kB * kB), even_b, u[5]));
  }

 private:
  static constexpr double kA = 0.625, kB = 1.5;
  // 1 over the product of a point's distances to the others: the weights of Lagrange's polynomials.
  static constexpr double kWeight0 = 1 / (kA * kA * kB * kB);
  static constexpr double kWeightA = 1 / (2 * kA * kA * (kA * kA - kB * kB)), kWeightB = 1 / (2 * kB * kB * (kB * kB - kA * kA));

  template <class V>
  IL_INLINE static V number(double x) {
    return V::broadcast(static_cast<float>(x));
  }
  /// even + x odd, even - x odd.
  template <class V>
  IL_INLINE static void pair(V x, V even, V odd, V* to) {
    to[0] = fma(x, odd, even);
    to[1] = fma(V::zero() - x, odd, even);
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
/// Columns are made in parts that the registers hold: to load a row again costs less than to put its map aside.
template <template <class> class Map, class H, class W, class Load, class Store>
IL_INLINE void on_both_axes(const Load& load, const Store& store) {
  using V = Vec<float>;
  using Down = Map<H>;
  using Across = Map<W>;
  constexpr int kColumns = kHeld > Down::kIn ? kHeld / Down::kIn : 1, kParts = (Across::kOut + kColumns - 1) / kColumns;
  constexpr int kPart = (Across::kOut + kParts - 1) / kParts;
#pragma GCC unroll 8
  for (int part = 0; part < kParts; ++part) {
    const int first = part * kPart, count = Across::kOut - first < kPart ? Across::kOut - first : kPart;
    V half_way[Down::kIn][kPart];
#pragma GCC unroll 8
    for (int i = 0; i < Down::kIn; ++i) {
      V row[Across::kIn], mapped[Across::kOut];
#pragma GCC unroll 8
      for (int j = 0; j < Across::kIn; ++j) row[j] = load(i, j);
      Across::apply(row, mapped);  // of which all but a part is not made
#pragma GCC unroll 8
      for (int j = 0; j < count; ++j) half_way[i][j] = mapped[first + j];
    }
#pragma GCC unroll 8
    for (int j = 0; j < count; ++j) {
      V column[Down::kIn], out[Down::kOut];
#pragma GCC unroll 8
      for (int i = 0; i < Down::kIn; ++i) column[i] = half_way[i][j];
      Down::apply(column, out);
#pragma GCC unroll 8
      for (int i = 0; i < Down::kOut; ++i) store(i, first + j, out[i]);
    }
  }
}

template <class Algorithm>
bool fits(const Axis& axis) {
  return axis.taps == Algorithm::kTaps && axis.in_step == Algorithm::kStep && axis.tap_step == 1;
}

/// Products for each pair of channels that an image takes.
template <class H, class W>
std::int64_t products(const ConvSweep& sweep) {
  return ceil_div(sweep.h.out, H::kOutputs) * ceil_div(sweep.w.out, W::kOutputs) * H::kPoints * W::kPoints;
}

/// Calls f(h, w) with the algorithms of both axes, if there are any; returns whether there are.
template <class F>
IL_INLINE bool with_algorithms(const ConvSweep& sweep, Winograd tiles, const F& f) {
  if (fits<Three>(sweep.h) && fits<Three>(sweep.w)) {
    if (tiles == Winograd::kOn && products<Wide, Wide>(sweep) < products<Three, Three>(sweep)) return f(Wide{}, Wide{}), true;
    return f(Three{}, Three{}), true;
  }
  if (fits<Strided>(sweep.h) && fits<Strided>(sweep.w)) return f(Strided{}, Strided{}), true;
  if (fits<Two>(sweep.h) && fits<Two>(sweep.w)) return f(Two{}, Two{}), true;
  if (fits<Two>(sweep.h) && fits<One>(sweep.w)) return f(Two{}, One{}), true;
  if (fits<One>(sweep.h) && fits<Two>(sweep.w)) return f(One{}, Two{}), true;
  return false;
}

/// Whether a sweep over whole vectors of channels makes so many fewer products that the transforms are worth their time.
inline bool pays(const ConvSweep& sweep, Winograd tiles) {
  constexpr std::int64_t kMinSaved = 256;  // products of a channel pair: the filter's own transforms cost as much as some tens
  bool yes = false;
  with_algorithms(sweep, tiles, [&](auto h, auto w) {
    const std::int64_t direct = sweep.h.out * sweep.w.out * sweep.h.taps * sweep.w.taps;
    const std::int64_t fewer = products<decltype(h), decltype(w)>(sweep);
    yes = 5 * fewer <= 4 * direct && sweep.images * (direct - fewer) >= kMinSaved;
  });
  constexpr int kLanes = Vec<float>::kLanes;
  return yes && sweep.channels > 0 && sweep.channels % kLanes == 0 && sweep.out_channels % kLanes == 0;
}

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE::winograd
