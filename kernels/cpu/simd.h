// The one place where instruction sets differ: a vector type for each target and element type, with the same few
// operations. Kernels are written once as templates over it and compiled once for each target.
//
//   Vec<T>::kLanes, load, store, broadcast, zero, fma(a, b, c) = a*b + c, +, -, *, max
// Nothing here has external linkage that another target could pick up: all is in the target's namespace and inlined.
#pragma once

#include <cstdint>

#if defined(__AVX2__) || defined(__AVX512F__)
#include <immintrin.h>
#endif

#define IL_INLINE [[gnu::always_inline]] inline

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

template <class T>
struct Vec;

#if defined(__AVX512F__)

template <>
struct Vec<float> {
  static constexpr int kLanes = 16;
  __m512 v;
  IL_INLINE static Vec load(const float* p) { return {_mm512_loadu_ps(p)}; }
  IL_INLINE static Vec broadcast(float x) { return {_mm512_set1_ps(x)}; }
  IL_INLINE static Vec zero() { return {_mm512_setzero_ps()}; }
  IL_INLINE void store(float* p) const { _mm512_storeu_ps(p, v); }
  IL_INLINE friend Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
  IL_INLINE friend Vec operator+(Vec a, Vec b) { return {_mm512_add_ps(a.v, b.v)}; }
  IL_INLINE friend Vec operator-(Vec a, Vec b) { return {_mm512_sub_ps(a.v, b.v)}; }
  IL_INLINE friend Vec operator*(Vec a, Vec b) { return {_mm512_mul_ps(a.v, b.v)}; }
  IL_INLINE friend Vec max(Vec a, Vec b) { return {_mm512_max_ps(a.v, b.v)}; }
};

template <>
struct Vec<double> {
  static constexpr int kLanes = 8;
  __m512d v;
  IL_INLINE static Vec load(const double* p) { return {_mm512_loadu_pd(p)}; }
  IL_INLINE static Vec broadcast(double x) { return {_mm512_set1_pd(x)}; }
  IL_INLINE static Vec zero() { return {_mm512_setzero_pd()}; }
  IL_INLINE void store(double* p) const { _mm512_storeu_pd(p, v); }
  IL_INLINE friend Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_pd(a.v, b.v, c.v)}; }
  IL_INLINE friend Vec operator+(Vec a, Vec b) { return {_mm512_add_pd(a.v, b.v)}; }
  IL_INLINE friend Vec operator-(Vec a, Vec b) { return {_mm512_sub_pd(a.v, b.v)}; }
  IL_INLINE friend Vec operator*(Vec a, Vec b) { return {_mm512_mul_pd(a.v, b.v)}; }
  IL_INLINE friend Vec max(Vec a, Vec b) { return {_mm512_max_pd(a.v, b.v)}; }
};

#elif defined(__AVX2__)

template <>
struct Vec<float> {
  static constexpr int kLanes = 8;
  __m256 v;
  IL_INLINE static Vec load(const float* p) { return {_mm256_loadu_ps(p)}; }
  IL_INLINE static Vec broadcast(float x) { return {_mm256_set1_ps(x)}; }
  IL_INLINE static Vec zero() { return {_mm256_setzero_ps()}; }
  IL_INLINE void store(float* p) const { _mm256_storeu_ps(p, v); }
  IL_INLINE friend Vec fma(Vec a, Vec b, Vec c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
  IL_INLINE friend Vec operator+(Vec a, Vec b) { return {_mm256_add_ps(a.v, b.v)}; }
  IL_INLINE friend Vec operator-(Vec a, Vec b) { return {_mm256_sub_ps(a.v, b.v)}; }
  IL_INLINE friend Vec operator*(Vec a, Vec b) { return {_mm256_mul_ps(a.v, b.v)}; }
  IL_INLINE friend Vec max(Vec a, Vec b) { return {_mm256_max_ps(a.v, b.v)}; }
};

template <>
struct Vec<double> {
  static constexpr int kLanes = 4;
  __m256d v;
  IL_INLINE static Vec load(const double* p) { return {_mm256_loadu_pd(p)}; }
  IL_INLINE static Vec broadcast(double x) { return {_mm256_set1_pd(x)}; }
  IL_INLINE static Vec zero() { return {_mm256_setzero_pd()}; }
  IL_INLINE void store(double* p) const { _mm256_storeu_pd(p, v); }
  IL_INLINE friend Vec fma(Vec a, Vec b, Vec c) { return {_mm256_fmadd_pd(a.v, b.v, c.v)}; }
  IL_INLINE friend Vec operator+(Vec a, Vec b) { return {_mm256_add_pd(a.v, b.v)}; }
  IL_INLINE friend Vec operator-(Vec a, Vec b) { return {_mm256_sub_pd(a.v, b.v)}; }
  IL_INLINE friend Vec operator*(Vec a, Vec b) { return {_mm256_mul_pd(a.v, b.v)}; }
  IL_INLINE friend Vec max(Vec a, Vec b) { return {_mm256_max_pd(a.v, b.v)}; }
};

#else

/// The compiler's own 16-byte vectors, which it maps onto whatever the baseline has. (An array of lanes would do, but
/// is not kept in a register: the convolution tiles ran eight times slower.)
template <class T>
struct Vec {
  static constexpr int kLanes = 16 / sizeof(T);
  typedef T Lanes __attribute__((vector_size(16)));
  Lanes v;
  IL_INLINE static Vec load(const T* p) {
    Vec r;
    __builtin_memcpy(&r.v, p, sizeof(Lanes));
    return r;
  }
  IL_INLINE static Vec broadcast(T x) { return {x - Lanes{}}; }  // x - 0 is x, and -0 stays -0
  IL_INLINE static Vec zero() { return {Lanes{}}; }
  IL_INLINE void store(T* p) const { __builtin_memcpy(p, &v, sizeof(Lanes)); }
  IL_INLINE friend Vec fma(Vec a, Vec b, Vec c) { return {a.v * b.v + c.v}; }
  IL_INLINE friend Vec operator+(Vec a, Vec b) { return {a.v + b.v}; }
  IL_INLINE friend Vec operator-(Vec a, Vec b) { return {a.v - b.v}; }
  IL_INLINE friend Vec operator*(Vec a, Vec b) { return {a.v * b.v}; }
  IL_INLINE friend Vec max(Vec a, Vec b) { return {a.v > b.v ? a.v : b.v}; }
};

#endif

/// Vectors that a register tile may keep as accumulators, leaving room for its operands: 24 of 32, 12 of 16, 8 of 16
/// (no fused multiply-add: each product needs a register of its own).
#if defined(__AVX512F__)
inline constexpr int kAccumulators = 24;
#elif defined(__AVX2__)
inline constexpr int kAccumulators = 12;
#else
inline constexpr int kAccumulators = 8;
#endif

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
