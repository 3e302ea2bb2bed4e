// Two vectors of neighbouring channels as one, where a vector is a cache line.
//
// A pass over maps of many channels that takes one vector of channels at a time reads every second line of memory, or fewer. The
// prefetcher does not run ahead of that; it does of lines that are read in their order. (32 channels of 84x84 images:
// 10 ns a line so, 5 ns as pairs.) With the pair as a lane policy, the bodies of such passes stay what they are.
#pragma once

#include "kernels/cpu/choice.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

template <class T>
struct VecPair {
  Vec<T> low, high;
  static constexpr int kLanes = 2 * Vec<T>::kLanes;
  IL_INLINE static VecPair load(const T* p) { return {Vec<T>::load(p), Vec<T>::load(p + Vec<T>::kLanes)}; }
  IL_INLINE static VecPair zero() { return {Vec<T>::zero(), Vec<T>::zero()}; }
  IL_INLINE void store(T* p) const {
    low.store(p);
    high.store(p + Vec<T>::kLanes);
  }
  IL_INLINE friend VecPair fma(VecPair a, VecPair b, VecPair c) { return {fma(a.low, b.low, c.low), fma(a.high, b.high, c.high)}; }
  IL_INLINE friend VecPair operator+(VecPair a, VecPair b) { return {a.low + b.low, a.high + b.high}; }
  IL_INLINE friend VecPair operator-(VecPair a, VecPair b) { return {a.low - b.low, a.high - b.high}; }
  IL_INLINE friend VecPair operator*(VecPair a, VecPair b) { return {a.low * b.low, a.high * b.high}; }
};

template <class T>
struct MaskPair {
  Mask<T> low, high;
  IL_INLINE friend MaskPair operator|(MaskPair a, MaskPair b) { return {a.low | b.low, a.high | b.high}; }
};

template <class T>
IL_INLINE MaskPair<T> greater(VecPair<T> a, VecPair<T> b) {
  return {greater(a.low, b.low), greater(a.high, b.high)};
}
template <class T>
IL_INLINE MaskPair<T> unordered(VecPair<T> a, VecPair<T> b) {
  return {unordered(a.low, b.low), unordered(a.high, b.high)};
}
template <class T>
IL_INLINE VecPair<T> select(MaskPair<T> m, VecPair<T> a, VecPair<T> b) {
  return {select(m.low, a.low, b.low), select(m.high, a.high, b.high)};
}
template <class T>
IL_INLINE void add_to(double* sums, VecPair<T> v) {
  add_to(sums, v.low);
  add_to(sums + Vec<T>::kLanes, v.high);
}

template <class T>
struct ChoicePair {
  Choice<T> low, high;
  IL_INLINE static ChoicePair broadcast(int position) {
    return {Choice<T>::broadcast(position), Choice<T>::broadcast(position)};
  }
  template <class Lanes>
  IL_INLINE static ChoicePair load(const Lanes& lanes, const std::uint8_t* p) {
    return {Choice<T>::load(lanes.each, p), Choice<T>::load(lanes.each, p + Vec<T>::kLanes)};
  }
  template <class Lanes>
  IL_INLINE void store(const Lanes& lanes, std::uint8_t* p) const {
    low.store(lanes.each, p);
    high.store(lanes.each, p + Vec<T>::kLanes);
  }
  IL_INLINE MaskPair<T> chosen(int position) const { return {low.chosen(position), high.chosen(position)}; }
  IL_INLINE friend ChoicePair select(MaskPair<T> m, ChoicePair a, ChoicePair b) {
    return {select(m.low, a.low, b.low), select(m.high, a.high, b.high)};
  }
};

/// Lane policy: two whole vectors.
template <class T>
struct PairLanes {
  using Vector = VecPair<T>;
  using Positions = ChoicePair<T>;
  AllLanes<T> each;
  IL_INLINE VecPair<T> load(const T* p) const { return VecPair<T>::load(p); }
  IL_INLINE void store(T* p, VecPair<T> v) const { v.store(p); }
  IL_INLINE void stream(T* p, VecPair<T> v) const {
    each.stream(p, v.low);
    each.stream(p + Vec<T>::kLanes, v.high);
  }
};

/// body(lanes, k) for the vectors of a line of `n` channels, in pairs where a vector is a cache line, the tail last.
template <class T, class Body>
IL_INLINE void for_each_vector(std::int64_t n, const Body& body) {
  constexpr std::int64_t kLanes = Vec<T>::kLanes;
  std::int64_t k = 0;
  if constexpr (kVectorIsALine<T>)
    for (; k + 2 * kLanes <= n; k += 2 * kLanes) body(PairLanes<T>{}, k);
  for (; k + kLanes <= n; k += kLanes) body(AllLanes<T>{}, k);
  if (k < n) body(FirstLanes<T>(static_cast<int>(n - k)), k);
}

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
