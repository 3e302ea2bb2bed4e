// split_holdout: which patients are kept for evaluation.
#include <algorithm>
#include <numeric>

#include "io/groups.h"
#include "tensor/error.h"
#include "tensor/philox.h"

namespace innerloop::io {
namespace {

/// Numbers 0 .. n - 1 in an order drawn from (seed, kHoldout).
std::vector<std::size_t> shuffled(std::size_t n, std::uint64_t seed) {
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  PhiloxSequence random(seed, Stream::kHoldout);
  for (std::size_t i = n; i > 1; --i) std::swap(order[i - 1], order[random.below(static_cast<std::uint32_t>(i))]);
  return order;
}

}  // namespace

Split split_holdout(const ImageSet& set, double share, std::uint64_t seed) {
  if (!(share >= 0 && share < 1)) fail_usage("data.holdout: {} is not a share in [0, 1)", share);
  const std::size_t classes = set.classes.size();
  std::vector<double> size(classes), held(classes);
  // Images of each class in each group, groups by first appearance so that a subset splits by what it holds.
  std::vector<std::vector<double>> members;
  std::vector<std::size_t> group_at(set.group_names.size(), SIZE_MAX), group_of(set.groups.size());
  for (std::size_t i = 0; i < set.groups.size(); ++i) {
    std::size_t& at = group_at[static_cast<std::size_t>(set.groups[i])];
    if (at == SIZE_MAX) {
      at = members.size();
      members.emplace_back(classes);
    }
    group_of[i] = at;
    const std::size_t label = static_cast<std::size_t>(set.labels[i]);
    members[at][label] += 1;
    size[label] += 1;
  }

  std::vector<bool> keep(members.size());
  for (const std::size_t g : shuffled(members.size(), seed)) {
    double change = 0;  // of sum_c (held_c - share * size_c)^2 / size_c, were g held out
    for (std::size_t c = 0; c < classes; ++c) {
      if (members[g][c] == 0) continue;
      const double before = held[c] - share * size[c], after = before + members[g][c];
      change += (after * after - before * before) / size[c];
    }
    if (change >= 0) continue;
    keep[g] = true;
    for (std::size_t c = 0; c < classes; ++c) held[c] += members[g][c];
  }

  Split split;
  for (std::size_t i = 0; i < group_of.size(); ++i)
    (keep[group_of[i]] ? split.held_out : split.train).push_back(static_cast<std::int64_t>(i));
  IL_CHECK(share == 0 || (!split.train.empty() && !split.held_out.empty()),
           "data.holdout: a share of {} of {} groups leaves one side empty; change the share or give more groups",
           share, members.size());
  return split;
}

}  // namespace innerloop::io
