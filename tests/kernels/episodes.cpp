// Episodes in one call: the bits of the three calls on the CPU, whatever the target makes of them.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/sample.h"
#include "tensor/context.h"
#include "tensor/tensor.h"
#include "tests/kernels/sample_common.h"
#include "tests/kernels/targets.h"

namespace innerloop::kernels {
namespace {

struct EpisodeCase {
  const char* name;
  TaskScheme scheme;
  std::int32_t ways, shots, queries;
  Shape image;  ///< H, W, C
  std::vector<std::int64_t> groups{};
};

struct Episodes {
  Tensor support, query;
};

std::vector<Augmentation> everything() {
  Augmentation pepper, noise, shift;
  pepper.probability = 0.3f, pepper.salt = 0.5f;
  noise.kind = AugmentKind::kGaussian, noise.std = 0.1f;
  shift.kind = AugmentKind::kShift, shift.pixels = 3;
  return {pepper, shift, noise};
}

/// The results are on the host.
template <class Run>
Episodes episodes_of(const EpisodeCase& c, Context& context, const Run& run_it) {
  const ContextScope scope(context);
  std::vector<std::int64_t> offsets{0}, members;
  for (const std::int64_t size : c.groups) offsets.push_back(offsets.back() + size);
  const std::int64_t images = c.groups.empty() ? 9 : offsets.back(), tasks = 3;
  for (std::int64_t i = 0; i < images; ++i) members.push_back(images - 1 - i);
  Tensor bytes = Tensor::empty_on_host({images, c.image[0], c.image[1], c.image[2]}, DType::kU8);
  std::uint32_t i = 0;
  for (std::uint8_t& byte : bytes.mutable_data<std::uint8_t>())
    byte = static_cast<std::uint8_t>(random_block(1, Stream::kCheck, 0, 0, i++).word[0]);
  const Tensor pixels = bytes.to_context(), starts = Tensor::from({std::ssize(offsets)}, offsets),
               all = Tensor::from({images}, members), clock = Tensor::from({1}, std::vector<std::int64_t>{40});
  const std::vector<Augmentation> augmentations = everything();
  Tensor support = Tensor::full({tasks, std::int64_t{c.ways} * c.shots, c.image[0], c.image[1], c.image[2]}, DType::kF32, -7),
         query = Tensor::full({tasks, std::int64_t{c.ways} * c.queries, c.image[0], c.image[1], c.image[2]}, DType::kF32, -7);
  DrawEpisodes k;
  k.draw.scheme = c.scheme;
  if (c.scheme == TaskScheme::kGroups) k.draw.offsets = starts.view(), k.draw.members = all.view();
  k.draw.image_count = images, k.draw.ways = c.ways, k.draw.shots = c.shots, k.draw.queries = c.queries;
  k.draw.seed = k.support.seed = k.query.seed = 7;
  k.draw.step = k.support.step = k.query.step = 2;
  k.draw.task0 = k.support.task0 = k.query.task0 = 5;
  k.draw.clock = k.support.clock = k.query.clock = clock.view();
  k.support.images = k.query.images = pixels.view();
  k.support.out = support.mutable_view(), k.query.out = query.mutable_view();
  if (c.scheme == TaskScheme::kInstances) {
    k.support.augmentations = augmentations;
    k.support.plain_period = static_cast<std::uint32_t>(c.shots);
  }
  k.query.augmentations = augmentations;
  k.query.image0 = static_cast<std::uint32_t>(c.ways * c.shots);
  run_it(k, context);
  return {support.to_host(), query.to_host()};
}

const EpisodeCase kEpisodeCases[] = {
    {"instances", TaskScheme::kInstances, 5, 1, 1, {8, 8, 1}},
    {"copies of an instance", TaskScheme::kInstances, 4, 3, 2, {5, 7, 1}},
    {"groups", TaskScheme::kGroups, 3, 2, 5, {6, 6, 3}, {2, 4, 3, 7}},
    {"all of every group", TaskScheme::kGroups, 4, 2, 1, {3, 3, 1}, {2, 2, 2, 2}},
    {"large images", TaskScheme::kGroups, 2, 1, 1, {61, 60, 3}, {1, 2, 1}},
    {"no queries", TaskScheme::kInstances, 2, 1, 0, {4, 4, 1}},
    {"more ways than threads", TaskScheme::kGroups, 130, 1, 1, {2, 2, 1}, std::vector<std::int64_t>(131, 1)},
    {"more shots than threads", TaskScheme::kGroups, 1, 140, 1, {2, 2, 1}, {150}},
};

TEST(DrawEpisodes, AreThoseOfTheThreeCallsOnTheCpu) {
  Context cpu(1, cpu_target());
  for (const EpisodeCase& c : kEpisodeCases) {
    const Episodes plain = episodes_of(c, cpu, [](const DrawEpisodes& k, Context& context) { compose(k, context); });
    for (const Target target : harness::targets()) {
      Context context(1, target);
      const Episodes one = episodes_of(c, context, [](const DrawEpisodes& k, Context& on) { run(k, on); });
      EXPECT_TRUE(same_bits(one.support, plain.support)) << c.name << ", support";
      EXPECT_TRUE(same_bits(one.query, plain.query)) << c.name << ", query";
    }
  }
}

TEST(DrawEpisodes, AGroupThatIsTooSmallIsAnErrorOrNanOnADevice) {
  EpisodeCase c{"too small", TaskScheme::kGroups, 2, 3, 1, {4, 4, 1}, {3, 2}};
  const auto go = [&] {
    Context context(1, harness::one_target());
    return episodes_of(c, context, [](const DrawEpisodes& k, Context& on) { run(k, on); });
  };
  if (!has_device_engine()) {
    EXPECT_NE(error_of([&] { go(); }).find("group 1 has 2 images"), std::string::npos);
    return;
  }
  const Episodes drawn = go();
  for (std::int64_t t = 0; t < 3; ++t) {
    std::int64_t nans = 0;
    for (std::int64_t i = 0; i < 6 * 16; ++i) nans += std::isnan(drawn.support.item(t * 96 + i));
    EXPECT_EQ(nans, 48) << "one class of two, task " << t;
  }
}

TEST(DrawEpisodes, RefuseWhatTheThreeRefuse) {
  for (const Target target : harness::targets()) {
    Context context(1, target);
    EpisodeCase c{"too many ways", TaskScheme::kGroups, 5, 1, 1, {4, 4, 1}, {3, 2}};
    const auto go = [&] { episodes_of(c, context, [](const DrawEpisodes& k, Context& on) { run(k, on); }); };
    EXPECT_NE(error_of(go).find("2 groups for 5 ways"), std::string::npos);
  }
}

}  // namespace
}  // namespace innerloop::kernels
