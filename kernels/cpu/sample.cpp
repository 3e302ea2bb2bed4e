#include "kernels/sample.h"

#include "kernels/cpu/simd.h"
#include "kernels/sample_check.h"
#include "kernels/sample_math.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

// Blocks of random words made side by side: the compiler turns each loop over them into vector code. A line of 16 fills
// an AVX-512 register once and costs little where an image ends inside it.
constexpr std::uint32_t kLine = 16;
constexpr std::int64_t kLineValues = 4 * kLine;

/// What all images of a task share.
struct ImageAddress {
  std::uint64_t seed;
  std::uint32_t step, task;
  std::uint32_t first;  ///< index of the augmentation's first block
};

IL_INLINE PhiloxBlock block_at(const ImageAddress& at, std::uint32_t i) {
  return random_block(at.seed, Stream::kAugment, at.step, at.task, at.first + i);
}

void normal_line(const ImageAddress& at, std::uint32_t first_block, float* z) {
  for (std::uint32_t l = 0; l < kLine; ++l) {
    const PhiloxBlock block = block_at(at, first_block + l);
    const Pair a = normal_pair(block.word[0], block.word[1]);
    const Pair b = normal_pair(block.word[2], block.word[3]);
    z[4 * l] = a.first;
    z[4 * l + 1] = a.second;
    z[4 * l + 2] = b.first;
    z[4 * l + 3] = b.second;
  }
}

void word_line(const ImageAddress& at, std::uint32_t first_block, std::uint32_t* words) {
  for (std::uint32_t l = 0; l < kLine; ++l) {
    const PhiloxBlock block = block_at(at, first_block + l);
    for (std::uint32_t i = 0; i < 4; ++i) words[4 * l + i] = block.word[i];
  }
}

void gaussian(const ImageAddress& at, float std, std::int64_t values, float* out) {
  for (std::int64_t begin = 0; begin < values; begin += kLineValues) {
    float z[kLineValues];
    normal_line(at, static_cast<std::uint32_t>(begin / 4), z);
    const std::int64_t count = values - begin < kLineValues ? values - begin : kLineValues;
    for (std::int64_t i = 0; i < count; ++i) out[begin + i] = add_noise(out[begin + i], z[i], std);
  }
}

/// kChannels = 0 takes any number, from `channels`; a fixed number gives the compiler a loop that it can unroll.
template <int kChannels>
void salt_and_pepper(const ImageAddress& at, const Augmentation& a, std::int64_t pixels, std::int64_t channels,
                     float* out) {
  const std::int64_t width = kChannels == 0 ? channels : kChannels;
  for (std::int64_t begin = 0; begin < pixels; begin += kLineValues) {
    std::uint32_t words[kLineValues];
    word_line(at, static_cast<std::uint32_t>(begin / 4), words);
    const std::int64_t count = pixels - begin < kLineValues ? pixels - begin : kLineValues;
    float* line = out + begin * width;
    for (std::int64_t i = 0; i < count; ++i)
      for (std::int64_t c = 0; c < width; ++c)
        line[i * width + c] = salt_pepper(line[i * width + c], words[i], a.probability, a.salt);
  }
}

void salt_and_pepper(const ImageAddress& at, const Augmentation& a, std::int64_t pixels, std::int64_t channels,
                     float* out) {
  if (channels == 1) return salt_and_pepper<1>(at, a, pixels, channels, out);
  if (channels == 3) return salt_and_pepper<3>(at, a, pixels, channels, out);
  salt_and_pepper<0>(at, a, pixels, channels, out);
}

/// In place: rows are taken in the order in which none is overwritten before it is read.
void shift(Offset by, std::int64_t height, std::int64_t width, std::int64_t channels, float* out) {
  const std::int64_t row = width * channels;
  const std::int64_t gap = (by.x < 0 ? -std::int64_t{by.x} : std::int64_t{by.x}) * channels;
  const std::int64_t kept = gap < row ? row - gap : 0;
  for (std::int64_t i = 0; i < height; ++i) {
    const std::int64_t y = by.y > 0 ? height - 1 - i : i;
    const std::int64_t source = y - by.y;
    float* to = out + y * row;
    if (source < 0 || source >= height || kept == 0) {
      __builtin_memset(to, 0, static_cast<std::size_t>(row) * sizeof(float));
      continue;
    }
    const float* from = out + source * row;
    const auto bytes = static_cast<std::size_t>(kept) * sizeof(float);
    const auto blank = static_cast<std::size_t>(row - kept) * sizeof(float);
    if (by.x >= 0) {
      __builtin_memmove(to + gap, from, bytes);
      __builtin_memset(to, 0, blank);
    } else {
      __builtin_memmove(to, from + gap, bytes);
      __builtin_memset(to + kept, 0, blank);
    }
  }
}

void gather(const std::uint8_t* image, std::int64_t values, float* out) {
  for (std::int64_t i = 0; i < values; ++i) out[i] = byte_to_unit(static_cast<float>(image[i]));
}

void augment(const GatherAugment& k, std::uint32_t step, std::uint32_t task, std::uint32_t image, float* out) {
  const std::int64_t height = k.images.shape[1], width = k.images.shape[2], channels = k.images.shape[3];
  std::uint32_t place = 0;
  for (const Augmentation& a : k.augmentations) {
    const ImageAddress at{k.seed, step, task, augmentation_address(image, place++)};
    switch (a.kind) {
      case AugmentKind::kSaltPepper:
        salt_and_pepper(at, a, height * width, channels, out);
        break;
      case AugmentKind::kGaussian:
        gaussian(at, a.std, height * width * channels, out);
        break;
      case AugmentKind::kShift:
        shift(shift_of(block_at(at, 0), a.pixels), height, width, channels, out);
        break;
    }
  }
}

void run_here(const GatherAugment& k, Context& context) {
  check(k);
  const std::int64_t images = k.images.shape[0], per_task = k.index.shape[1];
  const std::int64_t values = k.images.shape[1] * k.images.shape[2] * k.images.shape[3];
  const auto* index = k.index.as<std::int64_t>();
  const std::uint32_t step = step_at(k.step, k.clock.as<std::int64_t>());
  context.threads().parallel_for(k.index.shape.numel(), [&](std::int64_t i) {
    const std::int64_t t = i / per_task, n = i % per_task, image = index[i];
    IL_CHECK(image >= 0 && image < images, "gather_augment: index [{}, {}] is {}; there are {} images", t, n, image,
             images);
    float* out = k.out.as<float>() + i * values;
    gather(k.images.as<std::uint8_t>() + image * values, values, out);
    if (k.plain_period == 0 || n % k.plain_period != 0)
      augment(k, step, k.task0 + static_cast<std::uint32_t>(t), k.image0 + static_cast<std::uint32_t>(n), out);
  });
}
IL_REGISTER_KERNEL(GatherAugment);

/// What can be said of groups only by reading their offsets.
void check_groups(const DrawTasks& k) {
  const auto* offsets = k.offsets.as<std::int64_t>();
  const std::int64_t groups = k.offsets.shape[0] - 1;
  IL_CHECK(offsets[0] >= 0 && offsets[groups] <= k.members.shape[0],
           "draw_tasks: offsets run from {} to {}; there are {} members", offsets[0], offsets[groups], k.members.shape[0]);
  for (std::int64_t g = 0; g < groups; ++g)
    IL_CHECK(offsets[g + 1] - offsets[g] >= k.shots,
             "draw_tasks: group {} has {} images and a class takes {}; leave the group out or lower shots", g,
             offsets[g + 1] - offsets[g], k.shots);
}

void run_here(const DrawTasks& k, Context& context) {
  const std::int64_t population = check(k);
  if (k.scheme == TaskScheme::kGroups) check_groups(k);
  const std::uint32_t step = step_at(k.step, k.clock.as<std::int64_t>());
  const std::int64_t support = std::int64_t{k.ways} * k.shots, query = std::int64_t{k.ways} * k.queries;
  context.threads().parallel_for(k.support_index.shape[0], [&](std::int64_t t) {
    const TaskAddress at{k.seed, k.stream, step, k.task0 + static_cast<std::uint32_t>(t)};
    draw_task(k.scheme, at, k.offsets.as<std::int64_t>(), k.members.as<std::int64_t>(), population, k.ways, k.shots,
              k.queries, k.support_index.as<std::int64_t>() + t * support,
              k.queries > 0 ? k.query_index.as<std::int64_t>() + t * query : nullptr);
  });
}
IL_REGISTER_KERNEL(DrawTasks);

void run_here(const DrawEpisodes& k, Context& context) { compose(k, context); }
IL_REGISTER_KERNEL(DrawEpisodes);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
