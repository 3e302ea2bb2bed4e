// Transposition of a matrix into rows of whole vectors, the packing step of kernels that need an operand's other order.
#pragma once

#include "kernels/cpu/simd.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

/// Four columns of kLanes rows: to[c*to_pitch + r] = from[r*from_pitch + c]. Four rows' worth of 128-bit pieces are
/// placed by the loads themselves, so that only a 4x4 transposition within the pieces is left to shuffles.
#if defined(__AVX512F__)
IL_INLINE void transpose_four_columns(const float* from, std::int64_t from_pitch, float* to, std::int64_t to_pitch) {
  // The unmasked forms read an undefined vector in GCC 12's headers, which it then warns of.
  constexpr __mmask16 kAll = 0xFFFF;
  const auto rows = [&](int r) {
    const float* const p = from + r * from_pitch;
    __m512 v = _mm512_zextps128_ps512(_mm_loadu_ps(p));
    v = _mm512_insertf32x4(v, _mm_loadu_ps(p + 4 * from_pitch), 1);
    v = _mm512_insertf32x4(v, _mm_loadu_ps(p + 8 * from_pitch), 2);
    return _mm512_insertf32x4(v, _mm_loadu_ps(p + 12 * from_pitch), 3);
  };
  const __m512 r0 = rows(0), r1 = rows(1), r2 = rows(2), r3 = rows(3);
  const __m512 a = _mm512_maskz_unpacklo_ps(kAll, r0, r1), b = _mm512_maskz_unpackhi_ps(kAll, r0, r1);
  const __m512 c = _mm512_maskz_unpacklo_ps(kAll, r2, r3), d = _mm512_maskz_unpackhi_ps(kAll, r2, r3);
  _mm512_storeu_ps(to, _mm512_maskz_shuffle_ps(kAll, a, c, 0x44));
  _mm512_storeu_ps(to + to_pitch, _mm512_maskz_shuffle_ps(kAll, a, c, 0xEE));
  _mm512_storeu_ps(to + 2 * to_pitch, _mm512_maskz_shuffle_ps(kAll, b, d, 0x44));
  _mm512_storeu_ps(to + 3 * to_pitch, _mm512_maskz_shuffle_ps(kAll, b, d, 0xEE));
}
#elif defined(__AVX2__)
IL_INLINE void transpose_four_columns(const float* from, std::int64_t from_pitch, float* to, std::int64_t to_pitch) {
  const auto rows = [&](int r) {
    const float* const p = from + r * from_pitch;
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(p + 4 * from_pitch), 1);
  };
  const __m256 r0 = rows(0), r1 = rows(1), r2 = rows(2), r3 = rows(3);
  const __m256 a = _mm256_unpacklo_ps(r0, r1), b = _mm256_unpackhi_ps(r0, r1);
  const __m256 c = _mm256_unpacklo_ps(r2, r3), d = _mm256_unpackhi_ps(r2, r3);
  _mm256_storeu_ps(to, _mm256_shuffle_ps(a, c, 0x44));
  _mm256_storeu_ps(to + to_pitch, _mm256_shuffle_ps(a, c, 0xEE));
  _mm256_storeu_ps(to + 2 * to_pitch, _mm256_shuffle_ps(b, d, 0x44));
  _mm256_storeu_ps(to + 3 * to_pitch, _mm256_shuffle_ps(b, d, 0xEE));
}
#endif
template <class T>
IL_INLINE void transpose_four_columns(const T* from, std::int64_t from_pitch, T* to, std::int64_t to_pitch) {
  for (int c = 0; c < 4; ++c) {
    for (int r = 0; r < Vec<T>::kLanes; ++r) to[c * to_pitch + r] = from[r * from_pitch + c];
  }
}

/// to[c*to_pitch + r] = from[r*from_pitch + c] for r < rows, and 0 for rows <= r < to_pitch.
template <class T>
void transpose(const T* from, std::int64_t rows, std::int64_t columns, std::int64_t from_pitch, T* to,
               std::int64_t to_pitch) {
  constexpr int kLanes = Vec<T>::kLanes;
  const std::int64_t whole_rows = rows / kLanes * kLanes, whole_columns = columns / 4 * 4;
  for (std::int64_t r = 0; r < whole_rows; r += kLanes) {
    for (std::int64_t c = 0; c < whole_columns; c += 4) {
      transpose_four_columns(from + r * from_pitch + c, from_pitch, to + c * to_pitch + r, to_pitch);
    }
  }
  for (std::int64_t c = 0; c < columns; ++c) {
    for (std::int64_t r = c < whole_columns ? whole_rows : 0; r < to_pitch; ++r) {
      to[c * to_pitch + r] = r < rows ? from[r * from_pitch + c] : T{0};
    }
  }
}

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
