// Values of which each channel takes its own: the pixels of a window lie side by side, and a lane picks the one its
// window's maximum came from.
//
//   Pick<T, kWidth>(choice).of(p): lane k gets p[choice_k], of kWidth = 4 values, or p[0] where there is but one.
// What a dead lane gets is one of the values.
#pragma once

#include "kernels/cpu/pair_lanes.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

template <class Positions, int kWidth>
class Pick;

template <class T>
class Pick<Choice<T>, 1> {
 public:
  IL_INLINE explicit Pick(const Choice<T>&) {}
  IL_INLINE Vec<T> of(const T* p) const { return Vec<T>::broadcast(*p); }
};

#if defined(__AVX512F__)

template <>
class Pick<Choice<float>, 4> {
 public:
  IL_INLINE explicit Pick(const Choice<float>& c) : at_(_mm512_maskz_cvtepu8_epi32(0xFFFF, c.v)) {}
  IL_INLINE Vec<float> of(const float* p) const {
    const __m512 four = _mm512_maskz_broadcast_f32x4(0xFFFF, _mm_loadu_ps(p));
    return {_mm512_maskz_permutevar_ps(0xFFFF, four, at_)};
  }

 private:
  __m512i at_;
};
template <>
class Pick<Choice<double>, 4> {
 public:
  IL_INLINE explicit Pick(const Choice<double>& c) : at_(_mm512_maskz_cvtepu8_epi64(0xFF, c.v)) {}
  IL_INLINE Vec<double> of(const double* p) const {
    const __m512d four = _mm512_maskz_broadcast_f64x4(0xFF, _mm256_loadu_pd(p));
    return {_mm512_maskz_permutexvar_pd(0xFF, at_, four)};
  }

 private:
  __m512i at_;
};

#elif defined(__AVX2__)

template <>
class Pick<Choice<float>, 4> {
 public:
  IL_INLINE explicit Pick(const Choice<float>& c) : at_(c.v) {}
  IL_INLINE Vec<float> of(const float* p) const {
    return {_mm256_permutevar_ps(_mm256_broadcast_ps(reinterpret_cast<const __m128*>(p)), at_)};
  }

 private:
  __m256i at_;
};
template <>
class Pick<Choice<double>, 4> {
 public:
  /// A double is two neighbouring floats to the one permutation that crosses the halves of a register.
  IL_INLINE explicit Pick(const Choice<double>& c) {
    const __m256i twice = _mm256_slli_epi64(c.v, 1);
    at_ = _mm256_or_si256(twice, _mm256_slli_epi64(_mm256_add_epi64(twice, _mm256_set1_epi64x(1)), 32));
  }
  IL_INLINE Vec<double> of(const double* p) const {
    return {_mm256_castps_pd(_mm256_permutevar8x32_ps(_mm256_castpd_ps(_mm256_loadu_pd(p)), at_))};
  }

 private:
  __m256i at_;
};

#else

template <class T>
class Pick<Choice<T>, 4> {
 public:
  IL_INLINE explicit Pick(const Choice<T>& c) {
    for (int i = 0; i < Vec<T>::kLanes; ++i) at_[i] = c.v[i] & 3;
  }
  IL_INLINE Vec<T> of(const T* p) const {
    Vec<T> r = Vec<T>::zero();
    for (int i = 0; i < Vec<T>::kLanes; ++i) r.v[i] = p[at_[i]];
    return r;
  }

 private:
  int at_[Vec<T>::kLanes];
};

#endif

template <class T, int kWidth>
class Pick<ChoicePair<T>, kWidth> {
 public:
  IL_INLINE explicit Pick(const ChoicePair<T>& c) : low_(c.low), high_(c.high) {}
  IL_INLINE VecPair<T> of(const T* p) const { return {low_.of(p), high_.of(p)}; }

 private:
  Pick<Choice<T>, kWidth> low_, high_;
};

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
