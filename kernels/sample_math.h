// The formulas of kernels/sample.h, one source for every CPU target and for CUDA.
//
// All targets give the same bits. Whatever rounds is a single correctly rounded operation: a product that meets a sum
// is an explicit fused multiply-add, so that there is nothing left for a compiler to contract or not; the square root
// is IEEE's; logarithm, sine and cosine are the polynomials below. No library function is called that differs between
// platforms.
#pragma once

#include <cstdint>

#include "kernels/sample.h"
#include "tensor/host_device.h"
#include "tensor/philox.h"

namespace innerloop::kernels {

/// a*b + c, rounded once.
IL_HD_INLINE float fused(float a, float b, float c) {
#if defined(__CUDA_ARCH__)
  return __fmaf_rn(a, b, c);
#else
  return __builtin_fmaf(a, b, c);
#endif
}

/// The square root, correctly rounded.
IL_HD_INLINE float exact_sqrt(float x) {
#if defined(__CUDA_ARCH__)
  return __fsqrt_rn(x);
#else
  return __builtin_sqrtf(x);
#endif
}

/// x / 255, correctly rounded for every x that is a byte, without a division: the quotient of the reciprocal is
/// corrected by its own remainder.
IL_HD_INLINE float byte_to_unit(float x) {
  constexpr float kReciprocal = 0x1.010102p-8f;
  const float q = x * kReciprocal;
  return fused(fused(-255.0f, q, x), kReciprocal, q);
}

/// -2 ln(u) for u = (1 + top 24 bits of word) / 2^24, in (0, 1]; relative error below 3e-7, and exactly 0 for u = 1.
/// u = 2^e * (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)); -2 ln(1 + f) = -2f + f^2 P(f), P interpolated at Chebyshev
/// nodes.
IL_HD_INLINE float minus_two_log(std::uint32_t word) {
  constexpr std::int32_t kSqrtHalfBits = 0x3f3504f3;
  const float u = static_cast<float>(static_cast<std::int32_t>((word >> 8) + 1)) * 0x1p-24f;
  const std::int32_t offset = __builtin_bit_cast(std::int32_t, u) - kSqrtHalfBits;
  const float e = static_cast<float>(offset >> 23);
  const float f = __builtin_bit_cast(float, (offset & 0x007fffff) + kSqrtHalfBits) - 1.0f;
  float p = -0x1.67ed28p-3f;
  p = fused(p, f, 0x1.21fd54p-2f);
  p = fused(p, f, -0x1.2fd102p-2f);
  p = fused(p, f, 0x1.53bb74p-2f);
  p = fused(p, f, -0x1.990710p-2f);
  p = fused(p, f, 0x1.000302p-1f);
  p = fused(p, f, -0x1.555638p-1f);
  p = fused(p, f, 0x1.fffffep-1f);
  return fused(f * f, p, fused(e, -0x1.62e430p+0f, -2.0f * f));
}

struct Pair {
  float first, second;
};

/// cos and sin of 2 pi word / 2^32 (the low 6 bits are not used); absolute error below 3e-7. The angle is taken to the
/// nearest quarter turn plus x turns, |x| <= 1/8, and polynomials in x^2 finish.
IL_HD_INLINE Pair cos_sin_turn(std::uint32_t word) {
  const std::uint32_t quarter = (word + 0x20000000u) >> 30;
  const std::int32_t rest = static_cast<std::int32_t>(word - (quarter << 30)) >> 6;  // 24 bits: exact in float32
  const float x = static_cast<float>(rest) * 0x1p-26f;
  const float s = x * x;
  float sine = -0x1.2d9b40p+6f;
  sine = fused(sine, s, 0x1.465ec4p+6f);
  sine = fused(sine, s, -0x1.4abbbap+5f);
  sine = fused(sine, s, 0x1.921fb6p+2f) * x;
  float cosine = -0x1.503902p+6f;
  cosine = fused(cosine, s, 0x1.03b98ep+6f);
  cosine = fused(cosine, s, -0x1.3bd3c6p+4f);
  cosine = fused(cosine, s, 1.0f);
  const float c = (quarter & 1) != 0 ? sine : cosine;
  const float d = (quarter & 1) != 0 ? cosine : sine;
  return {((quarter + 1) & 2) != 0 ? -c : c, (quarter & 2) != 0 ? -d : d};
}

/// Two independent standard normals from two words, by Box and Muller. |z| <= 5.77.
IL_HD_INLINE Pair normal_pair(std::uint32_t radius, std::uint32_t angle) {
  const float r = exact_sqrt(minus_two_log(radius));
  const Pair turn = cos_sin_turn(angle);
  return {r * turn.first, r * turn.second};
}

/// First Philox index of augmentation `a` of image `n` of its task.
IL_HD constexpr std::uint32_t augmentation_address(std::uint32_t n, std::uint32_t a) {
  return n * kAddressesPerImage + a * kBlocksPerAugmentation;
}

/// Salt and pepper on a value of pixel i: word i % 4 of block i / 4 decides both hit and colour, so that the shares of
/// 1 and of 0 are probability * salt and probability * (1 - salt).
IL_HD_INLINE float salt_pepper(float x, std::uint32_t word, float probability, float salt) {
  const float u = uniform01(word);
  const float kept = u < probability ? 0.0f : x;
  return u < probability * salt ? 1.0f : kept;
}

/// Gaussian noise on value i: normal i % 4 of block i / 4 (words 0 and 1 make the normals 0 and 1, words 2 and 3 the
/// others).
IL_HD_INLINE float add_noise(float x, float normal, float std) {
  const float y = fused(std, normal, x);
  const float floor = y > 0.0f ? y : 0.0f;
  return floor < 1.0f ? floor : 1.0f;
}

/// The step of an address: `step`, moved on by a clock where there is one.
IL_HD_INLINE std::uint32_t step_at(std::uint32_t step, const std::int64_t* clock) {
  return clock == nullptr ? step : step + static_cast<std::uint32_t>(*clock);
}

struct Offset {
  std::int32_t x, y;
};

/// The move of an image, from words 0 (x) and 1 (y) of the augmentation's first block: out[y][x] = in[y - dy][x - dx].
IL_HD_INLINE Offset shift_of(const PhiloxBlock& block, std::int32_t pixels) {
  const std::uint32_t choices = 2u * static_cast<std::uint32_t>(pixels) + 1u;
  return {static_cast<std::int32_t>(uniform_below(block.word[0], choices)) - pixels,
          static_cast<std::int32_t>(uniform_below(block.word[1], choices)) - pixels};
}

/// The address of one task's draws.
struct TaskAddress {
  std::uint64_t seed;
  Stream stream;
  std::uint32_t step, task;
};

// n distinct numbers of [0, total), in random order: a Fisher-Yates shuffle stopped after n steps, whose array of `total`
// numbers is never made. Step i swaps the places i and r_i >= i; draw i is what then stands at i. Read backwards, the number at
// place p came, at each step j < i with r_j = p, from place j.

/// The place r_i that step i of a shuffle swaps with: block `first + i * address_stride`. i < total < 2^32.
IL_HD_INLINE std::uint32_t swap_place(const TaskAddress& at, std::uint32_t first, std::uint32_t address_stride,
                                      std::uint32_t i, std::uint32_t total) {
  const PhiloxBlock block = random_block(at.seed, at.stream, at.step, at.task, first + i * address_stride);
  return i + uniform_below(block.word[0], total - i);
}

/// Draw i of a shuffle from its swap places r_0 to r_i, which are places[0], places[stride], ...
template <class Place>
IL_HD_INLINE Place resolve_draw(const Place* places, std::int64_t stride, std::uint32_t i) {
  Place place = places[i * stride];
  for (std::uint32_t j = i; j-- > 0;)
    if (places[j * stride] == place) place = static_cast<Place>(j);
  return place;
}

/// n draws into out[0], out[stride], ... The r_i are first kept in `out` itself and resolved from the last on, when the earlier
/// ones still stand.
IL_HD_INLINE void draw_distinct(const TaskAddress& at, std::uint32_t first, std::uint32_t address_stride,
                                std::uint32_t n, std::uint32_t total, std::int64_t* out, std::uint32_t stride) {
  for (std::uint32_t i = 0; i < n; ++i)
    out[std::int64_t{i} * stride] = swap_place(at, first, address_stride, i, total);
  for (std::uint32_t i = n; i-- > 0;) out[std::int64_t{i} * stride] = resolve_draw(out, stride, i);
}

/// One task of kernels/sample.h's DrawTasks: support [ways*shots] and query [ways*queries] are its rows of the outputs.
/// `members` may be null for kInstances. The caller has checked the numbers.
IL_HD_INLINE void draw_task(TaskScheme scheme, const TaskAddress& at, const std::int64_t* offsets,
                            const std::int64_t* members, std::int64_t population, std::int32_t ways, std::int32_t shots,
                            std::int32_t queries, std::int64_t* support, std::int64_t* query) {
  const auto k = static_cast<std::uint32_t>(shots);
  // `population` counts groups or images; the class's choice waits in its first support place until it is used.
  draw_distinct(at, 0, kDrawsPerClass, static_cast<std::uint32_t>(ways), static_cast<std::uint32_t>(population),
                support, k);
  for (std::int32_t c = 0; c < ways; ++c) {
    std::int64_t* images = support + std::int64_t{c} * shots;
    const std::int64_t chosen = images[0];
    if (scheme == TaskScheme::kGroups) {
      const std::int64_t begin = offsets[chosen];
      draw_distinct(at, static_cast<std::uint32_t>(c) * kDrawsPerClass + 1, 1, k,
                    static_cast<std::uint32_t>(offsets[chosen + 1] - begin), images, 1);
      for (std::int32_t s = 0; s < shots; ++s) images[s] = members[begin + images[s]];
    } else {
      const std::int64_t image = members != nullptr ? members[chosen] : chosen;
      for (std::int32_t s = 0; s < shots; ++s) images[s] = image;
    }
    for (std::int32_t j = 0; j < queries; ++j) query[std::int64_t{c} * queries + j] = images[j % shots];
  }
}

}  // namespace innerloop::kernels
