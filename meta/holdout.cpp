#include "meta/holdout.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "io/groups.h"
#include "meta/class_index.h"
#include "tensor/philox.h"

namespace innerloop::meta {
namespace {

/// Places 0 .. n - 1 of which `count`, drawn from (seed, kHoldout), are true.
std::vector<bool> draw_some(std::size_t n, std::size_t count, std::uint64_t seed) {
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  PhiloxSequence random(seed, Stream::kHoldout);
  for (std::size_t i = n; i > 1; --i) std::swap(order[i - 1], order[random.below(static_cast<std::uint32_t>(i))]);
  std::vector<bool> drawn(n);
  for (std::size_t i = 0; i < count; ++i) drawn[order[i]] = true;
  return drawn;
}

io::Split split_classes(const io::ImageSet& set, const ClassIndex& index, std::size_t held, std::uint64_t seed) {
  const std::vector<bool> drawn = draw_some(index.classes.size(), held, seed);
  io::Split split;
  for (std::size_t g = 0; g < drawn.size(); ++g) {
    auto& side = drawn[g] ? split.held_out : split.train;
    side.insert(side.end(), index.members[g].begin(), index.members[g].end());
  }
  std::ranges::sort(split.train);
  std::ranges::sort(split.held_out);
  IL_CHECK(static_cast<std::int64_t>(split.train.size() + split.held_out.size()) == set.count(),
           "data.holdout: {} images of {} were split", split.train.size() + split.held_out.size(), set.count());
  return split;
}

bool groups_are_known(const io::ImageSet& set) {
  return static_cast<std::int64_t>(set.group_names.size()) < set.count();
}

DataSplit all_trains(const io::ImageSet& set) {
  return {set, {}, "nothing is held out (data.holdout = 0), so nothing is evaluated"};
}

}  // namespace

DataSplit split_groups(const io::ImageSet& set, const io::Config& config) {
  if (config.data.holdout == 0) return all_trains(set);
  const io::Split split = io::split_holdout(set, config.data.holdout, static_cast<std::uint64_t>(config.run.seed));
  return {io::subset(set, split.train), io::subset(set, split.held_out),
          fmt::format("held out {} images by {}, from every class; training has {} images", split.held_out.size(),
                      groups_are_known(set) ? "whole patients" : "image", split.train.size())};
}

DataSplit split_data(const io::ImageSet& set, const io::Config& config) {
  const double share = config.data.holdout;
  if (share == 0) return all_trains(set);
  const ClassIndex index = class_index(set);
  const auto classes = static_cast<std::int64_t>(index.classes.size());
  const auto held = static_cast<std::int64_t>(std::llround(share * static_cast<double>(classes)));
  const std::int64_t needed = std::max(config.task.ways, config.eval.ways);
  const bool by_class = !groups_are_known(set) && held >= config.eval.ways && classes - held >= needed;
  if (!by_class) return split_groups(set, config);
  const io::Split split =
      split_classes(set, index, static_cast<std::size_t>(held), static_cast<std::uint64_t>(config.run.seed));
  return {io::subset(set, split.train), io::subset(set, split.held_out),
          fmt::format("held out {} of {} classes ({} images); training has {} images", held, classes,
                      split.held_out.size(), split.train.size())};
}

}  // namespace innerloop::meta
