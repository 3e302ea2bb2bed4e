// The number of launches of each preset's meta-step, so that one more does not go unseen.
#include <gtest/gtest.h>

#include "step_launches.h"

namespace innerloop::executed {
namespace {

/// What a recorded step may hold at most. A step that needs fewer should lower its line.
const std::map<std::string, std::uint64_t> kMost = {
    {"paper", 317}, {"released", 278}, {"omniglot", 30},
    {"omniglot, K = 5", 102}, {"miniimagenet", 146}, {"demo", 129},
};

TEST(LaunchBudget, NoPresetsStepLaunchesMoreThanItDid) {
  ASSERT_EQ(step_cases().size(), kMost.size());
  for (const StepCase& c : step_cases()) {
    ASSERT_TRUE(kMost.contains(c.name)) << c.name << ": no budget";
    const std::uint64_t launches = total(step_launches(c.config));
    EXPECT_LE(launches, kMost.at(c.name))
        << c.name << ": a meta-step launches " << launches << " kernels and copies, " << kMost.at(c.name)
        << " before; docs/kernels.md says which. If it must be so, raise kMost here";
    EXPECT_GE(launches, 30u) << c.name << ": fewer than one for each pass over a layer: are they counted?";
  }
}

TEST(LaunchBudget, NothingIsCopiedOrFilledByTheRuntime) {
  for (const StepCase& c : step_cases()) {
    const auto counts = step_launches(c.config);
    EXPECT_FALSE(counts.contains("copy")) << c.name;
    EXPECT_FALSE(counts.contains("fill")) << c.name;
  }
}

TEST(LaunchBudget, PlacesAddUpToTheRecord) {
  for (const StepCase& c : step_cases()) {
    host_executor::LaunchCounts by_kernel;
    for (const auto& [place, n] : step_launches_by_place(c.config)) by_kernel[place.kernel] += n;
    EXPECT_EQ(by_kernel, step_launches(c.config)) << c.name;
  }
}

}  // namespace
}  // namespace innerloop::executed
