// From bytes to an episode: gather images of a data set that stays in memory as u8, scale to [0, 1], augment.
//
//   out[t,n] = augment(images[index[t,n]] / 255)
// Augmentations run in the order given; each maps [0, 1] to [0, 1] and is a pure function of its Philox address
// (seed, kAugment, step, task0 + t, n * kAddressesPerImage + ...), so any image of any episode can be made again alone.
//   salt_pepper  a pixel (all channels alike) is hit with `probability`; a hit pixel becomes 1 with share `salt`, else 0
//   gaussian     adds std * normal to every value, then clamps to [0, 1]
//   shift        moves the image by dx, dy, each uniform in {-pixels, ..., pixels}, and fills with zeros
//
// Shapes: images u8 [M, H, W, C]; index i64 [T, N] in [0, M); out f32 [T, N, H, W, C]. Determinism: the same bits at any
//   number of threads and, by construction, on any device: the formulas in kernels/sample_math.h use explicit fused
//   multiply-adds and no library functions. Traffic: one byte read and four written a value.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/kernel.h"

namespace innerloop::kernels {

enum class AugmentKind : std::uint8_t { kSaltPepper, kGaussian, kShift };

struct Augmentation {
  AugmentKind kind = AugmentKind::kSaltPepper;
  float probability = 0;    ///< salt_pepper
  float salt = 0;           ///< salt_pepper: share of hit pixels set to 1
  float std = 0;            ///< gaussian
  std::int32_t pixels = 0;  ///< shift
};

struct GatherAugment {
  static constexpr std::string_view kName = "gather_augment";
  ConstView images, index;
  std::span<const Augmentation> augmentations;  ///< at most 8; empty: gather and scale only
  std::uint64_t seed = 0;
  std::uint32_t step = 0, task0 = 0;
  View out;
};

}  // namespace innerloop::kernels
