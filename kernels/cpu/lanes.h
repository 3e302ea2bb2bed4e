// What comparisons, choices and tails need on top of Vec: masks, select, the hand-over to float64, and two lane
// policies.
//
//   Mask<T>: greater, unordered, |, select(mask, a, b) = mask ? a : b
//   add_to(sums, v): sums[0, kLanes) += v in float64
//   AllLanes<T>: load, store and stream (past the caches) a whole vector
//   FirstLanes<T>: its first n lanes only; the others read as zero and are not written
// A policy names the Vector that it loads and the Positions of a window that go with it (choice.h).
// With the policy as a parameter, one kernel body serves whole vectors and the tail of a line of channels.
#pragma once

#include <cstdint>

#include "kernels/cpu/past_caches.h"

/// For a lambda, after its parameters: inlined like IL_INLINE.
#define IL_LAMBDA_INLINE __attribute__((always_inline))

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

template <class T>
struct Mask;
template <class T>
struct Choice;

#if defined(__AVX512F__)

template <>
struct Mask<float> {
  __mmask16 m;
  IL_INLINE friend Mask operator|(Mask a, Mask b) { return {static_cast<__mmask16>(a.m | b.m)}; }
};
template <>
struct Mask<double> {
  __mmask8 m;
  IL_INLINE friend Mask operator|(Mask a, Mask b) { return {static_cast<__mmask8>(a.m | b.m)}; }
};

IL_INLINE Mask<float> greater(Vec<float> a, Vec<float> b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ)}; }
IL_INLINE Mask<double> greater(Vec<double> a, Vec<double> b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_GT_OQ)}; }
IL_INLINE Mask<float> unordered(Vec<float> a, Vec<float> b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_UNORD_Q)}; }
IL_INLINE Mask<double> unordered(Vec<double> a, Vec<double> b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_UNORD_Q)}; }
IL_INLINE Vec<float> select(Mask<float> m, Vec<float> a, Vec<float> b) { return {_mm512_mask_blend_ps(m.m, b.v, a.v)}; }
IL_INLINE Vec<double> select(Mask<double> m, Vec<double> a, Vec<double> b) {
  return {_mm512_mask_blend_pd(m.m, b.v, a.v)};
}

/// sums[0, kLanes) += v, in float64. (The full masks keep GCC 12 from warning about its own undefined operand.)
IL_INLINE void add_to(double* sums, Vec<float> v) {
  const __m512d low = _mm512_maskz_cvtps_pd(0xFF, _mm512_maskz_extractf32x8_ps(0xFF, v.v, 0));
  const __m512d high = _mm512_maskz_cvtps_pd(0xFF, _mm512_maskz_extractf32x8_ps(0xFF, v.v, 1));
  _mm512_storeu_pd(sums, _mm512_add_pd(_mm512_loadu_pd(sums), low));
  _mm512_storeu_pd(sums + 8, _mm512_add_pd(_mm512_loadu_pd(sums + 8), high));
}

template <class T>
struct FirstLanes;
template <>
struct FirstLanes<float> {
  using Vector = Vec<float>;
  using Positions = Choice<float>;
  __mmask16 m;
  explicit FirstLanes(int n) : m(static_cast<__mmask16>((1u << n) - 1)) {}
  IL_INLINE Vec<float> load(const float* p) const { return {_mm512_maskz_loadu_ps(m, p)}; }
  IL_INLINE void store(float* p, Vec<float> v) const { _mm512_mask_storeu_ps(p, m, v.v); }
  IL_INLINE void stream(float* p, Vec<float> v) const { store(p, v); }
  IL_INLINE __m128i load_bytes(const std::uint8_t* p) const { return _mm_maskz_loadu_epi8(m, p); }
  IL_INLINE void store_bytes(std::uint8_t* p, __m128i v) const { _mm_mask_storeu_epi8(p, m, v); }
};
template <>
struct FirstLanes<double> {
  using Vector = Vec<double>;
  using Positions = Choice<double>;
  __mmask8 m;
  explicit FirstLanes(int n) : m(static_cast<__mmask8>((1u << n) - 1)) {}
  IL_INLINE Vec<double> load(const double* p) const { return {_mm512_maskz_loadu_pd(m, p)}; }
  IL_INLINE void store(double* p, Vec<double> v) const { _mm512_mask_storeu_pd(p, m, v.v); }
  IL_INLINE void stream(double* p, Vec<double> v) const { store(p, v); }
  IL_INLINE __m128i load_bytes(const std::uint8_t* p) const { return _mm_maskz_loadu_epi8(m, p); }
  IL_INLINE void store_bytes(std::uint8_t* p, __m128i v) const { _mm_mask_storeu_epi8(p, m, v); }
};

#elif defined(__AVX2__)

template <>
struct Mask<float> {
  __m256 m;
  IL_INLINE friend Mask operator|(Mask a, Mask b) { return {_mm256_or_ps(a.m, b.m)}; }
};
template <>
struct Mask<double> {
  __m256d m;
  IL_INLINE friend Mask operator|(Mask a, Mask b) { return {_mm256_or_pd(a.m, b.m)}; }
};

IL_INLINE Mask<float> greater(Vec<float> a, Vec<float> b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_GT_OQ)}; }
IL_INLINE Mask<double> greater(Vec<double> a, Vec<double> b) { return {_mm256_cmp_pd(a.v, b.v, _CMP_GT_OQ)}; }
IL_INLINE Mask<float> unordered(Vec<float> a, Vec<float> b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_UNORD_Q)}; }
IL_INLINE Mask<double> unordered(Vec<double> a, Vec<double> b) { return {_mm256_cmp_pd(a.v, b.v, _CMP_UNORD_Q)}; }
IL_INLINE Vec<float> select(Mask<float> m, Vec<float> a, Vec<float> b) { return {_mm256_blendv_ps(b.v, a.v, m.m)}; }
IL_INLINE Vec<double> select(Mask<double> m, Vec<double> a, Vec<double> b) { return {_mm256_blendv_pd(b.v, a.v, m.m)}; }

IL_INLINE void add_to(double* sums, Vec<float> v) {
  const __m256d low = _mm256_cvtps_pd(_mm256_castps256_ps128(v.v));
  const __m256d high = _mm256_cvtps_pd(_mm256_extractf128_ps(v.v, 1));
  _mm256_storeu_pd(sums, _mm256_add_pd(_mm256_loadu_pd(sums), low));
  _mm256_storeu_pd(sums + 4, _mm256_add_pd(_mm256_loadu_pd(sums + 4), high));
}

template <class T>
struct FirstLanes;
template <>
struct FirstLanes<float> {
  using Vector = Vec<float>;
  using Positions = Choice<float>;
  __m256i m;
  int n;
  explicit FirstLanes(int count)
      : m(_mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))), n(count) {}
  IL_INLINE Vec<float> load(const float* p) const { return {_mm256_maskload_ps(p, m)}; }
  IL_INLINE void store(float* p, Vec<float> v) const { _mm256_maskstore_ps(p, m, v.v); }
  IL_INLINE void stream(float* p, Vec<float> v) const { store(p, v); }
};
template <>
struct FirstLanes<double> {
  using Vector = Vec<double>;
  using Positions = Choice<double>;
  __m256i m;
  int n;
  explicit FirstLanes(int count)
      : m(_mm256_cmpgt_epi64(_mm256_set1_epi64x(count), _mm256_setr_epi64x(0, 1, 2, 3))), n(count) {}
  IL_INLINE Vec<double> load(const double* p) const { return {_mm256_maskload_pd(p, m)}; }
  IL_INLINE void store(double* p, Vec<double> v) const { _mm256_maskstore_pd(p, m, v.v); }
  IL_INLINE void stream(double* p, Vec<double> v) const { store(p, v); }
};

#else

template <class T>
struct Mask {
  bool m[Vec<T>::kLanes];
  IL_INLINE friend Mask operator|(Mask a, Mask b) {
    for (int i = 0; i < Vec<T>::kLanes; ++i) a.m[i] = a.m[i] | b.m[i];
    return a;
  }
};

template <class T>
IL_INLINE Mask<T> greater(Vec<T> a, Vec<T> b) {
  Mask<T> r;
  for (int i = 0; i < Vec<T>::kLanes; ++i) r.m[i] = a.v[i] > b.v[i];
  return r;
}
template <class T>
IL_INLINE Mask<T> unordered(Vec<T> a, Vec<T> b) {
  Mask<T> r;
  for (int i = 0; i < Vec<T>::kLanes; ++i) r.m[i] = (a.v[i] != a.v[i]) | (b.v[i] != b.v[i]);
  return r;
}
template <class T>
IL_INLINE Vec<T> select(Mask<T> m, Vec<T> a, Vec<T> b) {
  for (int i = 0; i < Vec<T>::kLanes; ++i) b.v[i] = m.m[i] ? a.v[i] : b.v[i];
  return b;
}
IL_INLINE void add_to(double* sums, Vec<float> v) {
  for (int i = 0; i < Vec<float>::kLanes; ++i) sums[i] += static_cast<double>(v.v[i]);
}

template <class T>
struct FirstLanes {
  using Vector = Vec<T>;
  using Positions = Choice<T>;
  int n;
  explicit FirstLanes(int count) : n(count) {}
  IL_INLINE Vec<T> load(const T* p) const {
    Vec<T> r = Vec<T>::zero();
    for (int i = 0; i < n; ++i) r.v[i] = p[i];
    return r;
  }
  IL_INLINE void store(T* p, Vec<T> v) const {
    for (int i = 0; i < n; ++i) p[i] = v.v[i];
  }
  IL_INLINE void stream(T* p, Vec<T> v) const { store(p, v); }
};

#endif

IL_INLINE void add_to(double* sums, Vec<double> v) { (Vec<double>::load(sums) + v).store(sums); }

template <class T>
struct AllLanes {
  using Vector = Vec<T>;
  using Positions = Choice<T>;
  IL_INLINE Vec<T> load(const T* p) const { return Vec<T>::load(p); }
  IL_INLINE void store(T* p, Vec<T> v) const { v.store(p); }
  IL_INLINE void stream(T* p, Vec<T> v) const { store_past(p, v); }
#if defined(__AVX512F__)
  IL_INLINE __m128i load_bytes(const std::uint8_t* p) const {
    if constexpr (sizeof(T) == 4) {
      return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    } else {
      return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    }
  }
  IL_INLINE void store_bytes(std::uint8_t* p, __m128i v) const {
    if constexpr (sizeof(T) == 4) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(p), v);
    } else {
      _mm_storel_epi64(reinterpret_cast<__m128i*>(p), v);
    }
  }
#else
  static constexpr int n = Vec<T>::kLanes;
#endif
};

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
