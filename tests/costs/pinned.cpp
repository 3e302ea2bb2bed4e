// What a meta-step costs, pinned: kernels, FLOPs, bytes and memory of each preset at a small size. A change that makes one dearer
// fails here, on any machine, without a stopwatch. (tests/executed/launch_budget.cpp pins the launches on a GPU.)
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

#include "costs/small_steps.h"

namespace innerloop::costs {
namespace {

struct Pin {
  std::int64_t calls, flops, bytes;
  std::size_t peak_bytes;
};

// On the CPU, portable kernels, one thread. FLOPs and bytes are kernels/cost.h's.
const std::map<std::string, Pin> kPinned = {
    {"paper", {863, 1743871648, 80244388, 5742784}},
    {"released", {826, 3265433392, 175339108, 13088320}},
    {"omniglot", {270, 2294437300, 48222652, 5829952}},
    {"omniglot, K = 5", {878, 9147860500, 179799900, 11877696}},
    {"miniimagenet", {878, 3222641236, 94095516, 6272512}},
    {"demo", {602, 4767985560, 162213264, 10656512}},
};

std::string line_for(const std::string& name, const StepCost& c) {
  return fmt::format("    {{\"{}\", {{{}, {}, {}, {}}}}},", name, c.all.calls, c.all.cost.flops, c.all.cost.bytes, c.peak_bytes);
}

TEST(PinnedCosts, NoPresetsMetaStepCostsMoreThanItDid) {
  EXPECT_EQ(small_steps().size(), kPinned.size());
  for (const SmallStep& s : small_steps()) {
    const StepCost now = cost_of_step(s.config);
    const auto pin = kPinned.find(s.name);
    if (pin == kPinned.end()) {
      ADD_FAILURE() << s.name << ": nothing is pinned; put this line into kPinned:\n" << line_for(s.name, now);
      continue;
    }
    const auto hold = [&](const char* what, auto value, auto most) {
      EXPECT_LE(value, most) << s.name << ": a meta-step takes more " << what << " than before. `innerloop profile --by kernel` "
                             << "says where. If it must be so, put this line into kPinned:\n" << line_for(s.name, now);
      // So that the pin stays close to what it watches.
      EXPECT_GE(static_cast<double>(value), 0.98 * static_cast<double>(most))
          << s.name << ": a meta-step takes fewer " << what << " than is pinned. Keep that: put this line into kPinned:\n"
          << line_for(s.name, now);
    };
    hold("kernel calls", now.all.calls, pin->second.calls);
    hold("FLOPs", now.all.cost.flops, pin->second.flops);
    hold("bytes of traffic", now.all.cost.bytes, pin->second.bytes);
    hold("bytes of memory", now.peak_bytes, pin->second.peak_bytes);
  }
}

TEST(PinnedCosts, AreTheSameEachTime) {
  const io::Config config = small_steps().front().config;
  const StepCost a = cost_of_step(config), b = cost_of_step(config);
  EXPECT_EQ(a.all, b.all);
  EXPECT_EQ(a.peak_bytes, b.peak_bytes);
}

}  // namespace
}  // namespace innerloop::costs
