// Choice<T>: the window positions of Vec<T>::kLanes channels, as stored in memory in one byte each.
//
//   Choice<T>::broadcast(position), load(lanes, p), store(lanes, p, choice), chosen(choice, position) -> Mask<T>,
//   select(mask, a, b)
#pragma once

#include "kernels/cpu/lanes.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

#if defined(__AVX512F__)

/// Bytes stay bytes: AVX-512 compares them straight into the mask of the wide lanes.
template <class T>
struct Choice {
  __m128i v;
  IL_INLINE static Choice broadcast(int position) { return {_mm_set1_epi8(static_cast<char>(position))}; }
  template <class Lanes>
  IL_INLINE static Choice load(const Lanes& lanes, const std::uint8_t* p) {
    return {lanes.load_bytes(p)};
  }
  template <class Lanes>
  IL_INLINE void store(const Lanes& lanes, std::uint8_t* p) const {
    lanes.store_bytes(p, v);
  }
  IL_INLINE Mask<T> chosen(int position) const {
    return {static_cast<decltype(Mask<T>::m)>(_mm_cmpeq_epi8_mask(v, _mm_set1_epi8(static_cast<char>(position))))};
  }
  IL_INLINE friend Choice select(Mask<T> m, Choice a, Choice b) {
    return {_mm_mask_blend_epi8(static_cast<__mmask16>(m.m), b.v, a.v)};
  }
};

#elif defined(__AVX2__)

/// Bytes are widened to the element's width on the way in and packed on the way out.
template <class T>
struct Choice {
  __m256i v;
  IL_INLINE static Choice broadcast(int position) {
    if constexpr (sizeof(T) == 4) {
      return {_mm256_set1_epi32(position)};
    } else {
      return {_mm256_set1_epi64x(position)};
    }
  }
  template <class Lanes>
  IL_INLINE static Choice load(const Lanes& lanes, const std::uint8_t* p) {
    std::uint64_t bytes = 0;
    __builtin_memcpy(&bytes, p, static_cast<std::size_t>(lanes.n));
    const __m128i packed = _mm_cvtsi64_si128(static_cast<long long>(bytes));
    if constexpr (sizeof(T) == 4) {
      return {_mm256_cvtepu8_epi32(packed)};
    } else {
      return {_mm256_cvtepu8_epi64(packed)};
    }
  }
  template <class Lanes>
  IL_INLINE void store(const Lanes& lanes, std::uint8_t* p) const {
    constexpr int kHalf = Vec<T>::kLanes / 2;  // each 128-bit half packs its low bytes to its own bottom
    const __m256i pattern = sizeof(T) == 4 ? _mm256_set1_epi32(0x0C080400) : _mm256_set1_epi32(0x08000800);
    const __m256i packed = _mm256_shuffle_epi8(v, pattern);
    const std::uint64_t low = static_cast<std::uint32_t>(_mm256_extract_epi32(packed, 0));
    const std::uint64_t high = static_cast<std::uint32_t>(_mm256_extract_epi32(packed, 4));
    const std::uint64_t bytes = (low & ((std::uint64_t{1} << (8 * kHalf)) - 1)) | high << (8 * kHalf);
    __builtin_memcpy(p, &bytes, static_cast<std::size_t>(lanes.n));
  }
  IL_INLINE Mask<T> chosen(int position) const {
    if constexpr (sizeof(T) == 4) {
      return {_mm256_castsi256_ps(_mm256_cmpeq_epi32(v, _mm256_set1_epi32(position)))};
    } else {
      return {_mm256_castsi256_pd(_mm256_cmpeq_epi64(v, _mm256_set1_epi64x(position)))};
    }
  }
  IL_INLINE friend Choice select(Mask<T> m, Choice a, Choice b) {
    if constexpr (sizeof(T) == 4) {
      return {_mm256_blendv_epi8(b.v, a.v, _mm256_castps_si256(m.m))};
    } else {
      return {_mm256_blendv_epi8(b.v, a.v, _mm256_castpd_si256(m.m))};
    }
  }
};

#else

template <class T>
struct Choice {
  std::uint8_t v[Vec<T>::kLanes];
  IL_INLINE static Choice broadcast(int position) {
    Choice c;
    for (std::uint8_t& x : c.v) x = static_cast<std::uint8_t>(position);
    return c;
  }
  template <class Lanes>
  IL_INLINE static Choice load(const Lanes& lanes, const std::uint8_t* p) {
    Choice c = broadcast(0);
    for (int i = 0; i < lanes.n; ++i) c.v[i] = p[i];
    return c;
  }
  template <class Lanes>
  IL_INLINE void store(const Lanes& lanes, std::uint8_t* p) const {
    for (int i = 0; i < lanes.n; ++i) p[i] = v[i];
  }
  IL_INLINE Mask<T> chosen(int position) const {
    Mask<T> m;
    for (int i = 0; i < Vec<T>::kLanes; ++i) m.m[i] = v[i] == position;
    return m;
  }
  IL_INLINE friend Choice select(Mask<T> m, Choice a, Choice b) {
    for (int i = 0; i < Vec<T>::kLanes; ++i) b.v[i] = m.m[i] ? a.v[i] : b.v[i];
    return b;
  }
};

#endif

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
