#include "kernels/sample.h"

#include "kernels/cpu/simd.h"
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

bool is_share(float x) { return x >= 0.0f && x <= 1.0f; }

void check(const Augmentation& a) {
  switch (a.kind) {
    case AugmentKind::kSaltPepper:
      IL_CHECK(is_share(a.probability) && is_share(a.salt),
               "gather_augment: salt_pepper has probability {} and salt {}; both are shares in [0, 1]", a.probability,
               a.salt);
      return;
    case AugmentKind::kGaussian:
      IL_CHECK(a.std >= 0.0f && a.std < 1e6f, "gather_augment: gaussian has std {}; use a number in [0, 1e6)", a.std);
      return;
    case AugmentKind::kShift:
      IL_CHECK(a.pixels >= 0 && a.pixels <= (1 << 20), "gather_augment: shift has pixels {}; use a number in [0, 2^20]",
               a.pixels);
      return;
  }
  fail("gather_augment: unknown augmentation {}", static_cast<int>(a.kind));
}

void check(const GatherAugment& k) {
  IL_CHECK(k.images.dtype == DType::kU8 && k.images.shape.rank() == 4,
           "gather_augment: images are {} {}; they must be u8 [M, H, W, C]", name_of(k.images.dtype),
           k.images.shape.to_string());
  IL_CHECK(k.index.dtype == DType::kI64 && k.index.shape.rank() == 2,
           "gather_augment: index is {} {}; it must be i64 [T, N]", name_of(k.index.dtype), k.index.shape.to_string());
  const Shape& s = k.images.shape;
  const Shape wanted{k.index.shape[0], k.index.shape[1], s[1], s[2], s[3]};
  IL_CHECK(k.out.dtype == DType::kF32 && k.out.shape == wanted, "gather_augment: out is {} {}; it must be f32 {}",
           name_of(k.out.dtype), k.out.shape.to_string(), wanted.to_string());
  if (k.augmentations.empty()) return;
  IL_CHECK(k.augmentations.size() <= kMaxAugmentations, "gather_augment: {} augmentations; at most {} are possible",
           k.augmentations.size(), kMaxAugmentations);
  IL_CHECK(s[1] * s[2] * s[3] <= 4 * std::int64_t{kBlocksPerAugmentation},
           "gather_augment: images of {} have more than 2^20 values, which is all that augmentation can address; make "
           "them smaller",
           s.to_string());
  IL_CHECK(k.image0 + k.index.shape[1] <= kMaxImagesPerTask,
           "gather_augment: images {} to {} of a task; augmentation can address {}", k.image0,
           k.image0 + k.index.shape[1], kMaxImagesPerTask);
  for (const Augmentation& a : k.augmentations) check(a);
}

void augment(const GatherAugment& k, std::uint32_t task, std::uint32_t image, float* out) {
  const std::int64_t height = k.images.shape[1], width = k.images.shape[2], channels = k.images.shape[3];
  std::uint32_t place = 0;
  for (const Augmentation& a : k.augmentations) {
    const ImageAddress at{k.seed, k.step, task, augmentation_address(image, place++)};
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
  context.threads().parallel_for(k.index.shape.numel(), [&](std::int64_t i) {
    const std::int64_t t = i / per_task, n = i % per_task, image = index[i];
    IL_CHECK(image >= 0 && image < images, "gather_augment: index [{}, {}] is {}; there are {} images", t, n, image,
             images);
    float* out = k.out.as<float>() + i * values;
    gather(k.images.as<std::uint8_t>() + image * values, values, out);
    if (k.plain_period == 0 || n % k.plain_period != 0)
      augment(k, k.task0 + static_cast<std::uint32_t>(t), k.image0 + static_cast<std::uint32_t>(n), out);
  });
}
IL_REGISTER_KERNEL(GatherAugment);

void check_output(const View& view, const char* name, std::int64_t row) {
  IL_CHECK(view.dtype == DType::kI64 && view.shape.rank() == 2 && view.shape[1] == row,
           "draw_tasks: {} is {} {}; it must be i64 [T, {}]", name, name_of(view.dtype), view.shape.to_string(), row);
}

/// Number of groups or images that a class is drawn from.
std::int64_t check(const DrawTasks& k) {
  IL_CHECK(k.ways >= 1 && k.shots >= 1 && k.queries >= 0 && k.ways <= 65535 && k.shots <= 65535,
           "draw_tasks: ways {}, shots {}, queries {}; ways and shots count from 1 to 65535, queries from 0", k.ways,
           k.shots, k.queries);
  check_output(k.support_index, "support_index", std::int64_t{k.ways} * k.shots);
  if (k.queries > 0) {
    check_output(k.query_index, "query_index", std::int64_t{k.ways} * k.queries);
    IL_CHECK(k.query_index.shape[0] == k.support_index.shape[0],
             "draw_tasks: support_index has {} tasks and query_index {}; they must agree", k.support_index.shape[0],
             k.query_index.shape[0]);
  }
  if (k.members)
    IL_CHECK(k.members.dtype == DType::kI64 && k.members.shape.rank() == 1,
             "draw_tasks: members are {} {}; they must be i64 [M]", name_of(k.members.dtype),
             k.members.shape.to_string());
  std::int64_t population = k.members ? k.members.shape[0] : k.image_count;
  IL_CHECK(population < (std::int64_t{1} << 32), "draw_tasks: {} images; at most 2^32 - 1 can be drawn from",
           population);
  if (k.scheme == TaskScheme::kGroups) {
    IL_CHECK(k.members && k.offsets && k.offsets.dtype == DType::kI64 && k.offsets.shape.rank() == 1 &&
                 k.offsets.shape[0] >= 1,
             "draw_tasks: the groups scheme needs members i64 [M] and offsets i64 [G+1]");
    const auto* offsets = k.offsets.as<std::int64_t>();
    const std::int64_t groups = k.offsets.shape[0] - 1;
    IL_CHECK(offsets[0] >= 0 && offsets[groups] <= population,
             "draw_tasks: offsets run from {} to {}; there are {} members", offsets[0], offsets[groups], population);
    for (std::int64_t g = 0; g < groups; ++g)
      IL_CHECK(offsets[g + 1] - offsets[g] >= k.shots,
               "draw_tasks: group {} has {} images and a class takes {}; leave the group out or lower shots", g,
               offsets[g + 1] - offsets[g], k.shots);
    population = groups;
  }
  IL_CHECK(population >= k.ways, "draw_tasks: {} {} for {} ways; lower ways or give more data", population,
           k.scheme == TaskScheme::kGroups ? "groups" : "images", k.ways);
  return population;
}

void run_here(const DrawTasks& k, Context& context) {
  const std::int64_t population = check(k);
  const std::int64_t support = std::int64_t{k.ways} * k.shots, query = std::int64_t{k.ways} * k.queries;
  context.threads().parallel_for(k.support_index.shape[0], [&](std::int64_t t) {
    const TaskAddress at{k.seed, k.stream, k.step, k.task0 + static_cast<std::uint32_t>(t)};
    draw_task(k.scheme, at, k.offsets.as<std::int64_t>(), k.members.as<std::int64_t>(), population, k.ways, k.shots,
              k.queries, k.support_index.as<std::int64_t>() + t * support,
              k.queries > 0 ? k.query_index.as<std::int64_t>() + t * query : nullptr);
  });
}
IL_REGISTER_KERNEL(DrawTasks);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
