#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <vector>

#include "kernels/sample.h"
#include "kernels/sample_math.h"
#include "tensor/context.h"
#include "tensor/tensor.h"
#include "tests/kernels/sample_common.h"
#include "tests/kernels/targets.h"

namespace innerloop::kernels {
namespace {

/// Groups of the given sizes; the members are 1000, 999, ... so that a place is never mistaken for an image.
struct Groups {
  std::vector<std::int64_t> offsets{0}, members;

  explicit Groups(const std::vector<std::int64_t>& sizes) {
    for (const std::int64_t size : sizes) offsets.push_back(offsets.back() + size);
    for (std::int64_t i = 0; i < offsets.back(); ++i) members.push_back(1000 - i);
  }
  std::int64_t group_of(std::int64_t image) const {
    const std::int64_t place = 1000 - image;
    return std::upper_bound(offsets.begin(), offsets.end(), place) - offsets.begin() - 1;
  }
};

struct Tasks {
  Tensor support, query;
};

/// The results are on the host.
Tasks draw(DrawTasks kernel, std::int64_t tasks, const Groups* groups, Context& context,
           std::optional<std::int64_t> clock = {}) {
  const ContextScope scope(context);
  Tensor offsets, members, now;
  if (groups != nullptr) {
    offsets = Tensor::from({std::ssize(groups->offsets)}, groups->offsets);
    members = Tensor::from({std::ssize(groups->members)}, groups->members);
    kernel.offsets = offsets.view();
    kernel.members = members.view();
  }
  if (clock) {
    now = Tensor::from<std::int64_t>({1}, std::vector<std::int64_t>{*clock});
    kernel.clock = now.view();
  }
  Tasks out{Tensor::full({tasks, std::int64_t{kernel.ways} * kernel.shots}, DType::kI64, -7),
            Tensor::full({tasks, std::int64_t{kernel.ways} * kernel.queries}, DType::kI64, -7)};
  kernel.support_index = out.support.mutable_view();
  if (kernel.queries > 0) kernel.query_index = out.query.mutable_view();
  run(kernel, context);
  return {out.support.to_host(), out.query.to_host()};
}

Tasks draw(const DrawTasks& kernel, std::int64_t tasks, const Groups* groups = nullptr,
           std::optional<std::int64_t> clock = {}) {
  Context context(1, harness::one_target());
  return draw(kernel, tasks, groups, context, clock);
}

DrawTasks groups_scheme(std::int32_t ways, std::int32_t shots, std::int32_t queries) {
  DrawTasks kernel;
  kernel.ways = ways;
  kernel.shots = shots;
  kernel.queries = queries;
  kernel.seed = 5;
  kernel.step = 2;
  return kernel;
}

DrawTasks instances_scheme(std::int64_t images, std::int32_t ways, std::int32_t shots, std::int32_t queries) {
  DrawTasks kernel = groups_scheme(ways, shots, queries);
  kernel.scheme = TaskScheme::kInstances;
  kernel.image_count = images;
  return kernel;
}

std::int64_t at(const Tensor& t, std::int64_t row, std::int64_t column) {
  return t.data<std::int64_t>()[static_cast<std::size_t>(row * t.shape()[1] + column)];
}

TEST(DrawDistinct, IsAFisherYatesShuffle) {
  for (std::uint32_t task = 0; task < 200; ++task) {
    const TaskAddress address{11, Stream::kTask, 0, task};
    const std::uint32_t total = 1 + task % 23, n = 1 + task % total;
    std::vector<std::int64_t> plain(total);
    std::iota(plain.begin(), plain.end(), 0);
    for (std::uint32_t i = 0; i < n; ++i) {
      const std::uint32_t word = random_block(11, Stream::kTask, 0, task, 3 + 2 * i).word[0];
      std::swap(plain[i], plain[i + uniform_below(word, total - i)]);
    }
    std::vector<std::int64_t> drawn(std::size_t{4} * n, -1);
    draw_distinct(address, 3, 2, n, total, drawn.data(), 4);
    for (std::uint32_t i = 0; i < n; ++i) ASSERT_EQ(drawn[std::size_t{4} * i], plain[i]) << task << ", " << i;
    for (std::size_t i = 0; i < drawn.size(); ++i) ASSERT_TRUE(i % 4 == 0 || drawn[i] == -1);
  }
}

TEST(DrawTasks, GroupsMakeClassesOfDistinctImages) {
  const Groups groups({7, 4, 9, 5, 4, 30, 6});
  const Tasks tasks = draw(groups_scheme(5, 4, 6), 300, &groups);
  for (std::int64_t t = 0; t < 300; ++t) {
    std::set<std::int64_t> chosen, images;
    for (std::int64_t c = 0; c < 5; ++c) {
      const std::int64_t group = groups.group_of(at(tasks.support, t, c * 4));
      chosen.insert(group);
      for (std::int64_t s = 0; s < 4; ++s) {
        const std::int64_t image = at(tasks.support, t, c * 4 + s);
        images.insert(image);
        ASSERT_EQ(groups.group_of(image), group);
      }
      for (std::int64_t j = 0; j < 6; ++j)
        ASSERT_EQ(at(tasks.query, t, c * 6 + j), at(tasks.support, t, c * 4 + j % 4));
    }
    ASSERT_EQ(chosen.size(), 5u);
    ASSERT_EQ(images.size(), 20u);
  }
}

TEST(DrawTasks, GroupsAreUniformInEveryPlace) {
  const Groups groups({3, 1, 4, 1, 5, 9, 2, 6, 5, 3});  // sizes must not matter
  const Tasks tasks = draw(groups_scheme(3, 1, 0), 9000, &groups);
  std::vector<double> first(10), last(10), pairs(90);
  for (std::int64_t t = 0; t < 9000; ++t) {
    const auto a = static_cast<std::size_t>(groups.group_of(at(tasks.support, t, 0)));
    const auto b = static_cast<std::size_t>(groups.group_of(at(tasks.support, t, 1)));
    first[a] += 1;
    pairs[a * 9 + (b < a ? b : b - 1)] += 1;
    last[static_cast<std::size_t>(groups.group_of(at(tasks.support, t, 2)))] += 1;
  }
  expect_uniform(first);
  expect_uniform(last);
  expect_uniform(pairs);
}

TEST(DrawTasks, EveryOrderOfAllGroupsIsEquallyLikely) {
  const Groups groups({1, 1, 1, 1});
  const Tasks tasks = draw(groups_scheme(4, 1, 0), 6000, &groups);
  std::map<std::vector<std::int64_t>, double> seen;
  for (std::int64_t t = 0; t < 6000; ++t)
    seen[{at(tasks.support, t, 0), at(tasks.support, t, 1), at(tasks.support, t, 2), at(tasks.support, t, 3)}] += 1;
  EXPECT_EQ(seen.size(), 24u);
  std::vector<double> counts;
  for (const auto& [order, count] : seen) counts.push_back(count);
  expect_uniform(counts);
}

TEST(DrawTasks, ImagesOfAGroupAreUniformInEveryPlace) {
  const Groups groups({12});
  const Tasks tasks = draw(groups_scheme(1, 3, 0), 6000, &groups);
  std::vector<double> first(12), third(12);
  for (std::int64_t t = 0; t < 6000; ++t) {
    first[static_cast<std::size_t>(1000 - at(tasks.support, t, 0))] += 1;
    third[static_cast<std::size_t>(1000 - at(tasks.support, t, 2))] += 1;
  }
  expect_uniform(first);
  expect_uniform(third);
}

TEST(DrawTasks, InstancesAreClassesOfOneImage) {
  const Tasks tasks = draw(instances_scheme(20, 5, 3, 2), 4000);
  std::vector<double> first(20), last(20);
  for (std::int64_t t = 0; t < 4000; ++t) {
    std::set<std::int64_t> images;
    for (std::int64_t c = 0; c < 5; ++c) {
      const std::int64_t image = at(tasks.support, t, c * 3);
      ASSERT_TRUE(image >= 0 && image < 20);
      images.insert(image);
      for (std::int64_t s = 1; s < 3; ++s) ASSERT_EQ(at(tasks.support, t, c * 3 + s), image);
      for (std::int64_t j = 0; j < 2; ++j) ASSERT_EQ(at(tasks.query, t, c * 2 + j), image);
    }
    ASSERT_EQ(images.size(), 5u);
    first[static_cast<std::size_t>(at(tasks.support, t, 0))] += 1;
    last[static_cast<std::size_t>(at(tasks.support, t, 12))] += 1;
  }
  expect_uniform(first);
  expect_uniform(last);
}

TEST(DrawTasks, InstancesOfMembersAreTheirPlacesLookedUp) {
  const Groups groups({9, 4});
  const Tasks places = draw(instances_scheme(13, 6, 1, 1), 20);
  const Tasks images = draw(instances_scheme(0, 6, 1, 1), 20, &groups);
  for (std::int64_t i = 0; i < 120; ++i) {
    EXPECT_EQ(images.support.item(i), 1000 - places.support.item(i));
    EXPECT_EQ(images.query.item(i), images.support.item(i));
  }
}

TEST(DrawTasks, AnyTaskCanBeDrawnAlone) {
  const Groups groups({5, 6, 7, 8});
  for (DrawTasks kernel : {groups_scheme(3, 4, 5), instances_scheme(0, 3, 4, 5)}) {
    const Tasks all = draw(kernel, 12, &groups);
    for (std::int64_t t = 0; t < 12; ++t) {
      kernel.task0 = static_cast<std::uint32_t>(t);
      const Tasks alone = draw(kernel, 1, &groups);
      EXPECT_TRUE(same_bits(alone.support, all.support.slice(t, 1)));
      EXPECT_TRUE(same_bits(alone.query, all.query.slice(t, 1)));
    }
  }
}

TEST(DrawTasks, EveryPartOfTheAddressMatters) {
  const DrawTasks kernel = instances_scheme(100000, 5, 1, 0);
  const Tensor base = draw(kernel, 1).support;
  DrawTasks other = kernel;
  other.seed = 6;
  EXPECT_FALSE(same_bits(draw(other, 1).support, base));
  other = kernel;
  other.step = 3;
  EXPECT_FALSE(same_bits(draw(other, 1).support, base));
  other = kernel;
  other.task0 = 1;
  EXPECT_FALSE(same_bits(draw(other, 1).support, base));
  other = kernel;
  other.stream = Stream::kEpisode;
  EXPECT_FALSE(same_bits(draw(other, 1).support, base));
}

TEST(DrawTasks, SameOnEveryTargetAtAnyThreadCount) {
  const Groups groups({5, 6, 7, 8, 20});
  // The last has more classes, and images a class, than a block of a device has threads.
  std::vector<DrawTasks> kernels = {groups_scheme(4, 5, 3), groups_scheme(5, 1, 15), instances_scheme(0, 6, 2, 5),
                                    instances_scheme(1000, 300, 3, 1)};
  for (const DrawTasks& kernel : kernels) {
    const Groups* from = kernel.image_count > 0 ? nullptr : &groups;
    Context portable(1, Target::kPortable);
    const Tasks expected = draw(kernel, 40, from, portable);
    for (const Target target : harness::targets()) {
      for (const int threads : {1, 3}) {
        Context context(threads, target);
        const Tasks tasks = draw(kernel, 40, from, context);
        EXPECT_TRUE(same_bits(tasks.support, expected.support)) << name_of(target);
        EXPECT_TRUE(same_bits(tasks.query, expected.query)) << name_of(target);
      }
    }
  }
}

TEST(DrawTasks, ManyImagesOfLargeGroups) {
  const Groups groups({400, 300, 300});
  Context portable(1, Target::kPortable);
  const Tasks expected = draw(groups_scheme(2, 300, 301), 3, &groups, portable);
  const Tasks tasks = draw(groups_scheme(2, 300, 301), 3, &groups);
  EXPECT_TRUE(same_bits(tasks.support, expected.support));
  EXPECT_TRUE(same_bits(tasks.query, expected.query));
}

TEST(DrawTasks, AClockMovesTheStepOn) {
  const Groups groups({5, 6, 7, 8});
  for (DrawTasks kernel : {groups_scheme(3, 4, 5), instances_scheme(0, 3, 4, 5)}) {
    kernel.step = 9;
    const Tasks expected = draw(kernel, 6, &groups);
    kernel.step = 2;
    EXPECT_TRUE(same_bits(draw(kernel, 6, &groups, 7).support, expected.support));
    EXPECT_TRUE(same_bits(draw(kernel, 6, &groups, 7).query, expected.query));
    EXPECT_FALSE(same_bits(draw(kernel, 6, &groups, 6).support, expected.support));
  }
}

TEST(DrawTasks, RefusesWhatItCannotDo) {
  const Groups groups({5, 2, 6});
  EXPECT_EQ(error_of([&] { draw(groups_scheme(4, 1, 0), 1, &groups); }),
            "draw_tasks: 3 groups for 4 ways; lower ways or give more data");
  EXPECT_EQ(error_of([&] { draw(instances_scheme(3, 4, 1, 0), 1); }),
            "draw_tasks: 3 images for 4 ways; lower ways or give more data");
  EXPECT_NE(error_of([&] { draw(instances_scheme(3, 0, 1, 0), 1); }).find("ways 0"), std::string::npos);
  EXPECT_NE(error_of([&] { draw(groups_scheme(2, 1, 0), 1); }).find("needs members"), std::string::npos);
}

TEST(DrawTasks, AGroupTooSmallIsAnErrorOrMinusOneOnADevice) {
  const Groups groups({5, 2, 6});
  const DrawTasks kernel = groups_scheme(3, 3, 4);
  Groups cut = groups;  // the last group ends past the members
  cut.members.pop_back();
  if (!has_device_engine()) {
    EXPECT_EQ(error_of([&] { draw(kernel, 1, &groups); }),
              "draw_tasks: group 1 has 2 images and a class takes 3; leave the group out or lower shots");
    EXPECT_EQ(error_of([&] { draw(kernel, 1, &cut); }), "draw_tasks: offsets run from 0 to 13; there are 12 members");
    return;
  }
  const auto classes_left_out = [&](const Groups& from) {
    const Tasks tasks = draw(kernel, 20, &from);
    int left_out = 0;
    for (std::int64_t t = 0; t < 20; ++t)
      for (std::int64_t c = 0; c < 3; ++c) {
        const bool out = at(tasks.support, t, c * 3) == -1;
        left_out += out;
        for (std::int64_t s = 0; s < 3; ++s) EXPECT_EQ(at(tasks.support, t, c * 3 + s) == -1, out);
        for (std::int64_t q = 0; q < 4; ++q)
          EXPECT_EQ(at(tasks.query, t, c * 4 + q), at(tasks.support, t, c * 3 + q % 3));
      }
    return left_out;
  };
  EXPECT_EQ(classes_left_out(groups), 20);  // each task takes every group once
  EXPECT_EQ(classes_left_out(cut), 40);
}

// Pinned values: whoever changes an address changes every run of the past, and must see it here. A separate
// program with a plain shuffle of an array gives the same.
TEST(DrawTasks, FirstDrawsAreKnown) {
  const Groups groups({5, 6, 7, 8, 20});
  const auto row = [](const Tensor& t) {
    const auto data = t.data<std::int64_t>();
    return std::vector<std::int64_t>(data.begin(), data.end());
  };
  EXPECT_EQ(row(draw(groups_scheme(3, 2, 0), 1, &groups).support),
            (std::vector<std::int64_t>{999, 997, 986, 987, 995, 993}));
  EXPECT_EQ(row(draw(instances_scheme(1000, 5, 1, 0), 1).support),
            (std::vector<std::int64_t>{120, 436, 298, 713, 937}));
}

}  // namespace
}  // namespace innerloop::kernels
