// Which images a training task or a labelled episode takes, and what is said when it cannot.
#include "meta/task_source.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "fixtures.h"
#include "meta/episode_source.h"
#include "meta/holdout.h"
#include "support/compare.h"

namespace innerloop::meta {
namespace {

using test::throws_with;
using test::tiny_set;

/// The image of `set` that equals row n of images [1.., N, H, W, C], or -1.
std::int64_t find_image(const io::ImageSet& set, const Tensor& images, std::int64_t t, std::int64_t n) {
  const auto size = static_cast<std::size_t>(set.height * set.width * set.channels);
  const auto row = images.data<float>().subspan(static_cast<std::size_t>(t * images.shape()[1] + n) * size, size);
  const auto pixels = set.pixels.data<std::uint8_t>();
  for (std::size_t i = 0; i < set.files.size(); ++i) {
    bool same = true;
    for (std::size_t k = 0; k < size && same; ++k)
      same = std::abs(row[k] - static_cast<float>(pixels[i * size + k]) / 255.0f) < 1e-6f;
    if (same) return static_cast<std::int64_t>(i);
  }
  return -1;
}

TaskSourceOptions groups(std::int64_t ways, std::int64_t shots, std::int64_t queries) {
  TaskSourceOptions o;
  o.scheme = kernels::TaskScheme::kGroups;
  o.ways = ways;
  o.shots = shots;
  o.queries = queries;
  o.tasks = 6;
  return o;
}

TEST(TaskSource, GroupsTakeDistinctImagesOfDistinctClassesAndQueriesRepeatThem) {
  const io::ImageSet set = tiny_set({4, 5, 6, 7});
  const TaskBatch batch = TaskSource(set, groups(3, 2, 4)).draw(3);
  ASSERT_EQ(batch.support_x.shape(), (Shape{6, 6, 12, 12, 1}));
  ASSERT_EQ(batch.query_x.shape(), (Shape{6, 12, 12, 12, 1}));
  for (std::int64_t t = 0; t < 6; ++t) {
    std::set<std::int64_t> images;
    std::set<std::int32_t> classes;
    for (std::int64_t c = 0; c < 3; ++c)
      for (std::int64_t s = 0; s < 2; ++s) {
        const std::int64_t image = find_image(set, batch.support_x, t, c * 2 + s);
        ASSERT_GE(image, 0);
        images.insert(image);
        classes.insert(set.labels[static_cast<std::size_t>(image)]);
        EXPECT_EQ(batch.support_y.item(t * 6 + c * 2 + s), static_cast<double>(c));
        // Without augmentation, query j of a class is its support image j % shots.
        for (const std::int64_t j : {s, s + 2}) {
          EXPECT_EQ(find_image(set, batch.query_x, t, c * 4 + j), image);
          EXPECT_EQ(batch.query_y.item(t * 12 + c * 4 + j), static_cast<double>(c));
        }
      }
    EXPECT_EQ(images.size(), 6u);
    EXPECT_EQ(classes.size(), 3u);
  }
}

TEST(TaskSource, InstancesKeepOneSupportImageAndAugmentItsCopies) {
  const io::ImageSet set = tiny_set({8});
  TaskSourceOptions o = groups(4, 3, 2);
  o.scheme = kernels::TaskScheme::kInstances;
  o.augment = {{.kind = kernels::AugmentKind::kSaltPepper, .probability = 0.5f}};
  const TaskBatch batch = TaskSource(set, o).draw(0);
  for (std::int64_t t = 0; t < o.tasks; ++t) {
    std::set<std::int64_t> plain;
    for (std::int64_t c = 0; c < 4; ++c) {
      const std::int64_t image = find_image(set, batch.support_x, t, c * 3);
      EXPECT_GE(image, 0);
      plain.insert(image);
      EXPECT_EQ(find_image(set, batch.support_x, t, c * 3 + 1), -1);
      EXPECT_EQ(find_image(set, batch.support_x, t, c * 3 + 2), -1);
      EXPECT_EQ(find_image(set, batch.query_x, t, c * 2), -1);
    }
    EXPECT_EQ(plain.size(), 4u);
  }
}

TEST(TaskSource, AnyBatchCanBeDrawnAgainAloneAtAnyNumberOfThreads) {
  const io::ImageSet set = tiny_set({6, 6, 6});
  TaskSourceOptions o = groups(2, 1, 2);
  o.augment = {{.kind = kernels::AugmentKind::kGaussian, .std = 0.2f},
               {.kind = kernels::AugmentKind::kShift, .pixels = 2}};
  const TaskSource source(set, o);
  const TaskBatch first = source.draw(7);
  source.draw(8);
  Context context(2, Context::current().target());
  ContextScope scope(context);
  const TaskBatch again = TaskSource(set, o).draw(7), part = source.draw(7, 2), other = source.draw(8);
  EXPECT_TRUE(test::same_bits({first.support_x, first.query_x}, {again.support_x, again.query_x}));
  EXPECT_TRUE(test::same_bits({first.query_x.slice(0, 2)}, {part.query_x}));
  EXPECT_FALSE(test::same_bits({first.query_x}, {other.query_x}));
}

TEST(TaskSource, SaysWhatTheDataLacks) {
  const io::ImageSet set = tiny_set({5, 2, 5});
  EXPECT_TRUE(throws_with([&] { TaskSource(set, groups(4, 1, 1)); }, {"task.ways", "'tiny'", "3 classes", "4"}));
  EXPECT_TRUE(throws_with([&] { TaskSource(set, groups(2, 3, 1)); }, {"task.shots", "'c01'", "2 images", "3"}));
  EXPECT_TRUE(throws_with([&] { TaskSource(set, groups(3, 400, 400)); }, {"2400 a task", "2048"}));
  TaskSourceOptions instances = groups(13, 1, 1);
  instances.scheme = kernels::TaskScheme::kInstances;
  EXPECT_TRUE(throws_with([&] { TaskSource(set, instances); }, {"task.ways", "12 images", "13"}));
  io::ImageSet flat = tiny_set({9});
  flat.classes[0].clear();
  EXPECT_TRUE(throws_with([&] { TaskSource(flat, groups(2, 1, 1)); }, {"no class folders", "instances"}));
  instances.ways = 3;
  EXPECT_NO_THROW(TaskSource(flat, instances).draw(0));
}

EpisodeOptions episodes(std::int64_t ways, std::int64_t shots, std::int64_t queries) {
  EpisodeOptions o;
  o.ways = ways;
  o.shots = shots;
  o.queries = queries;
  return o;
}

TEST(EpisodeSource, LabelsMeanClassesAndNoImageIsUsedTwice) {
  const io::ImageSet set = tiny_set({9, 8, 7, 9});
  const EpisodeSource source(set, episodes(3, 2, 4));
  std::set<std::int32_t> seen;
  const Episodes e = source.draw(0, 8);
  for (std::int64_t t = 0; t < 8; ++t) {
    const auto& classes = e.classes[static_cast<std::size_t>(t)];
    ASSERT_EQ(classes.size(), 3u);
    std::set<std::int64_t> images;
    const auto check = [&](const Tensor& x, const Tensor& y) {
      for (std::int64_t n = 0; n < x.shape()[1]; ++n) {
        const std::int64_t image = find_image(set, x, t, n);
        ASSERT_GE(image, 0);
        images.insert(image);
        EXPECT_EQ(set.labels[static_cast<std::size_t>(image)],
                  classes[static_cast<std::size_t>(y.item(t * y.shape()[1] + n))]);
      }
    };
    check(e.tasks.support_x, e.tasks.support_y);
    check(e.tasks.query_x, e.tasks.query_y);
    EXPECT_EQ(images.size(), 18u);
    seen.insert(classes.begin(), classes.end());
  }
  EXPECT_EQ(seen.size(), 4u);
  const Episodes alone = EpisodeSource(set, episodes(3, 2, 4)).draw(5, 1);
  EXPECT_TRUE(test::same_bits({e.tasks.query_x.slice(5, 1)}, {alone.tasks.query_x}));
  EXPECT_EQ(e.classes[5], alone.classes[0]);
}

TEST(EpisodeSource, SmallClassesAreAnErrorOrLeftOutByName) {
  const io::ImageSet set = tiny_set({6, 3, 6, 6});
  EpisodeOptions o = episodes(3, 1, 4);
  EXPECT_TRUE(throws_with([&] { EpisodeSource(set, o); }, {"'c01'", "3 images", "5", "1 shots + 4 queries"}));
  o.small_classes = SmallClasses::kLeaveOut;
  const EpisodeSource source(set, o);
  ASSERT_EQ(source.left_out().size(), 1u);
  EXPECT_EQ(source.left_out()[0].name, "c01");
  EXPECT_EQ(source.left_out()[0].images, 3);
  const Episodes ten = source.draw(0, 10);
  for (const auto& classes : ten.classes)
    for (const std::int32_t c : classes) EXPECT_NE(c, 1);
  o.ways = 4;
  EXPECT_TRUE(throws_with([&] { EpisodeSource(set, o); }, {"eval.ways", "3 classes with enough images", "4"}));
  io::ImageSet flat = tiny_set({9});
  flat.classes[0].clear();
  EXPECT_TRUE(throws_with([&] { EpisodeSource(flat, episodes(1, 1, 1)); }, {"no class folders"}));
}

TEST(Holdout, KeepsWholeClassesWhereThereAreEnough) {
  io::Config c;
  c.data.holdout = 0.4;
  c.task.ways = c.eval.ways = 3;
  const DataSplit split = split_data(tiny_set({3, 3, 3, 3, 3, 3, 3, 3, 3, 3}), c);
  std::set<std::int32_t> train(split.train.labels.begin(), split.train.labels.end());
  std::set<std::int32_t> held(split.held_out.labels.begin(), split.held_out.labels.end());
  EXPECT_EQ(train.size(), 6u);
  EXPECT_EQ(held.size(), 4u);
  for (const std::int32_t label : held) EXPECT_FALSE(train.contains(label));
  EXPECT_NE(split.description.find("4 of 10 classes"), std::string::npos) << split.description;
}

TEST(Holdout, KeepsWholeGroupsOfEveryClassElse) {
  io::Config c;
  c.data.holdout = 0.4;
  c.task.ways = c.eval.ways = 3;
  const auto sides = [&](const DataSplit& split) {
    std::set<std::string> train(split.train.files.begin(), split.train.files.end());
    for (const std::string& f : split.held_out.files) EXPECT_FALSE(train.contains(f));
    const std::set<std::int32_t> held(split.held_out.labels.begin(), split.held_out.labels.end());
    return held.size();
  };
  EXPECT_EQ(sides(split_data(tiny_set({5, 5, 5}), c)), 3u);
  // Ten classes would do for the first rule, but here patients are known.
  io::ImageSet set = tiny_set({4, 4, 4, 4, 4, 4, 4, 4, 4, 4});
  set.group_names.clear();
  for (std::size_t i = 0; i < set.groups.size(); ++i) set.groups[i] = static_cast<std::int64_t>(i / 2);
  for (int g = 0; g < 20; ++g) set.group_names.push_back(fmt::format("patient{}", g));
  const DataSplit split = split_data(set, c);
  EXPECT_EQ(sides(split), 10u);
  std::set<std::int64_t> train(split.train.groups.begin(), split.train.groups.end());
  for (const std::int64_t g : split.held_out.groups) EXPECT_FALSE(train.contains(g));
  c.data.holdout = 0;
  EXPECT_EQ(split_data(set, c).held_out.count(), 0);
}

}  // namespace
}  // namespace innerloop::meta
