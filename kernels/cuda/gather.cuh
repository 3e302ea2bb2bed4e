// Gathering and augmenting an image on a device: what a block does with its part of it. The formulas are those of
// kernels/sample_math.h, bit for bit those of the CPU.
#pragma once

#include <algorithm>

#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/sample_check.h"
#include "kernels/sample_math.h"

namespace innerloop::kernels::cuda {

inline constexpr unsigned kGatherThreads = 128;
inline constexpr int kQuad = 4;  ///< values of a thread: those of one Philox block, one 16-byte store

struct ImageGather {
  const std::uint8_t* images;
  std::int64_t count;  ///< images there are
  const std::int64_t* index;
  float* out;
  unsigned height, width, channels, values;  ///< values of an image
  unsigned per_task, parts, rounds;          ///< images of a task, blocks of an image, quads of a thread
  std::uint64_t seed;
  std::uint32_t step, task0, image0, plain_period;
  const std::int64_t* clock;
  unsigned augmentations;
  Augmentation list[kMaxAugmentations];
  bool aligned;  ///< a quad of out is 16 aligned bytes, one of images 4
};

/// A value on its way through the augmentations: where it is in the image at this stage, which may be outside.
struct Traveller {
  float value;
  std::int32_t y, x;
  unsigned channel;

  __device__ __forceinline__ bool inside(const ImageGather& k) const {
    return static_cast<unsigned>(y) < k.height && static_cast<unsigned>(x) < k.width;
  }
  __device__ __forceinline__ unsigned pixel(const ImageGather& k) const {
    return static_cast<unsigned>(y) * k.width + static_cast<unsigned>(x);
  }
};

__device__ __forceinline__ float chosen_of(const float (&z)[4], unsigned i) {
  return i < 2 ? (i == 0 ? z[0] : z[1]) : (i == 2 ? z[2] : z[3]);
}

/// The random numbers of one augmentation of one image. A quad needs one block of them, two after a shift, and more only at the
/// ends of rows; so the last one is kept.
class Randoms {
 public:
  __device__ __forceinline__ Randoms(const ImageGather& k, std::uint32_t step, std::uint32_t task, std::uint32_t first)
      : seed_(k.seed), step_(step), task_(task), first_(first) {}

  __device__ __forceinline__ std::uint32_t word(unsigned i) {
    if (turn_to(i / 4)) words_ = block(i / 4);
    const unsigned j = i % 4;
    return j < 2 ? (j == 0 ? words_.word[0] : words_.word[1]) : (j == 2 ? words_.word[2] : words_.word[3]);
  }
  __device__ __forceinline__ float normal(unsigned i) {
    if (turn_to(i / 4)) {
      const PhiloxBlock words = block(i / 4);
      const Pair a = normal_pair(words.word[0], words.word[1]), b = normal_pair(words.word[2], words.word[3]);
      normals_[0] = a.first, normals_[1] = a.second, normals_[2] = b.first, normals_[3] = b.second;
    }
    return chosen_of(normals_, i % 4);
  }
  __device__ __forceinline__ PhiloxBlock block(unsigned i) const {
    return random_block(seed_, Stream::kAugment, step_, task_, first_ + i);
  }

 private:
  __device__ __forceinline__ bool turn_to(unsigned block) {
    const bool changes = block != block_;
    block_ = block;
    return changes;
  }

  std::uint64_t seed_;
  std::uint32_t step_, task_, first_;
  unsigned block_ = ~0u;
  PhiloxBlock words_{};
  float normals_[4] = {};
};

/// Applies the augmentations in their order. A shift moves the travellers; what it moves in from outside is 0, whatever
/// happened there before.
__device__ __forceinline__ void augment(const ImageGather& k, std::uint32_t step, std::uint32_t task, std::uint32_t image,
                                        const Offset* moves, Traveller (&quad)[kQuad]) {
  for (unsigned a = 0; a < k.augmentations; ++a) {
    const Augmentation& augmentation = k.list[a];
    Randoms randoms(k, step, task, augmentation_address(image, a));
#pragma unroll
    for (Traveller& t : quad) {
      const bool inside = t.inside(k);
      switch (augmentation.kind) {
        case AugmentKind::kSaltPepper:
          if (inside)
            t.value = salt_pepper(t.value, randoms.word(t.pixel(k)), augmentation.probability, augmentation.salt);
          break;
        case AugmentKind::kGaussian:
          if (inside)
            t.value = add_noise(t.value, randoms.normal(t.pixel(k) * k.channels + t.channel), augmentation.std);
          break;
        case AugmentKind::kShift:
          if (!inside) t.value = 0;
          t.y += moves[a].y, t.x += moves[a].x;
          break;
      }
    }
  }
}

/// One image on its way: its place in the launch's output, its place among its task's images, and where its random numbers are.
struct ImagePlace {
  unsigned which, n;
  std::uint32_t step, task, image;
  bool plain;

  __device__ __forceinline__ ImagePlace(const ImageGather& k, unsigned image_of_launch)
      : which(image_of_launch),
        n(image_of_launch % k.per_task),
        step(step_at(k.step, k.clock)),
        task(k.task0 + image_of_launch / k.per_task),
        image(k.image0 + n),
        plain(k.augmentations == 0 || (k.plain_period != 0 && n % k.plain_period == 0)) {}
};

/// The moves of an image, into shared memory; the whole block calls it, and has a barrier to pass before it reads them.
__device__ __forceinline__ void draw_moves(const ImageGather& k, const ImagePlace& at, Offset* moves) {
  const unsigned a = threadIdx.x;
  if (at.plain || a >= k.augmentations) return;
  const bool is_shift = k.list[a].kind == AugmentKind::kShift;
  moves[a] = is_shift ? shift_of(Randoms(k, at.step, at.task, augmentation_address(at.image, a)).block(0), k.list[a].pixels)
                      : Offset{0, 0};
}

/// The values from `first` on, a thread's quad, of image `source` of the set; NaN where there is none.
__device__ __forceinline__ void gather_quad(const ImageGather& k, const ImagePlace& at, const Offset* moves, std::int64_t source,
                                            unsigned first) {
  float* to = k.out + static_cast<std::int64_t>(at.which) * k.values + first;
  const bool exists = source >= 0 && source < k.count;
  const std::uint8_t* from = k.images + (exists ? source : 0) * k.values;

  Offset total{0, 0};
  if (!at.plain)
    for (unsigned a = 0; a < k.augmentations; ++a) total.x += moves[a].x, total.y += moves[a].y;
  Traveller quad[kQuad];
  const unsigned pixel = first / k.channels;
  unsigned channel = first - pixel * k.channels, row = pixel / k.width, column = pixel - row * k.width;
#pragma unroll
  for (Traveller& t : quad) {
    t = {0, static_cast<std::int32_t>(row) - total.y, static_cast<std::int32_t>(column) - total.x, channel};
    if (++channel == k.channels) {
      channel = 0;
      if (++column == k.width) column = 0, ++row;
    }
  }
  if (exists && k.aligned && total.x == 0 && total.y == 0) {
    const auto bytes = load_as<uchar4>(from + first);
    quad[0].value = byte_to_unit(bytes.x), quad[1].value = byte_to_unit(bytes.y);
    quad[2].value = byte_to_unit(bytes.z), quad[3].value = byte_to_unit(bytes.w);
  } else if (exists) {
#pragma unroll
    for (Traveller& t : quad)
      if (t.inside(k)) t.value = byte_to_unit(from[t.pixel(k) * k.channels + t.channel]);
  }
  if (!at.plain) augment(k, at.step, at.task, at.image, moves, quad);

  const float none = __int_as_float(0x7fc00000);
  const float4 result{exists ? quad[0].value : none, exists ? quad[1].value : none, exists ? quad[2].value : none,
                      exists ? quad[3].value : none};
  if (k.aligned) {
    st4(to, result);
  } else {
    to[0] = result.x;
    if (first + 1 < k.values) to[1] = result.y;
    if (first + 2 < k.values) to[2] = result.z;
    if (first + 3 < k.values) to[3] = result.w;
  }
}

/// Blocks of kGatherThreads quads that an image takes.
inline std::int64_t quad_blocks(const GatherAugment& k) {
  const Shape& s = k.images.shape;
  constexpr std::int64_t kBlockValues = kGatherThreads * kQuad;
  return (s[1] * s[2] * s[3] + kBlockValues - 1) / kBlockValues;
}

/// The arguments of a gather, checked; a thread has `rounds` quads.
inline ImageGather gather_of(const GatherAugment& k, std::int64_t rounds) {
  check(k);
  const Shape& s = k.images.shape;
  const std::int64_t images = k.index.shape.numel(), values = s[1] * s[2] * s[3];
  constexpr std::int64_t kMost = (std::int64_t{1} << 31) - 1;
  const std::int64_t parts = (quad_blocks(k) + rounds - 1) / rounds, covered = parts * rounds * kGatherThreads * kQuad;
  IL_CHECK(covered <= kMost && images * parts <= kMost,
           "gather_augment: {} images of {} are more than one launch can address; gather fewer at a time", images,
           s.to_string());
  const auto narrow = [](std::int64_t n) { return static_cast<unsigned>(n); };
  const auto fits = [&](const void* address, std::uintptr_t bytes) {
    return reinterpret_cast<std::uintptr_t>(address) % bytes == 0;
  };
  ImageGather g{};
  g.images = k.images.as<std::uint8_t>(), g.count = s[0], g.index = k.index.as<std::int64_t>(), g.out = k.out.as<float>();
  g.height = narrow(s[1]), g.width = narrow(s[2]), g.channels = narrow(s[3]), g.values = narrow(values);
  g.per_task = narrow(k.index.shape[1]), g.parts = narrow(parts), g.rounds = narrow(rounds);
  g.seed = k.seed, g.step = k.step, g.task0 = k.task0, g.image0 = k.image0, g.plain_period = k.plain_period;
  g.clock = k.clock.as<std::int64_t>();
  g.augmentations = narrow(std::ssize(k.augmentations));
  std::copy(k.augmentations.begin(), k.augmentations.end(), g.list);
  g.aligned = values % kQuad == 0 && fits(g.out, kQuad * sizeof(float)) && fits(g.images, kQuad);
  return g;
}

}  // namespace innerloop::kernels::cuda
