// Every seeded bug is found by each build that can find it, in every order; correct kernels pass all of them.
#include "tests/host_executor/seeded_bugs.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "kernels/cuda/host/device_heap.h"
#include "kernels/cuda/host/monitor.h"
#include "kernels/cuda/host/options.h"
#include "tests/host_executor/device_array.h"
#include "tests/host_executor/sample_kernels.h"

namespace innerloop::tests {
namespace {

using host_executor::KernelError;
using host_executor::Options;
using host_executor::ScopedOptions;
using host_executor::ThreadOrder;
using Plain = SeededBug::Plain;

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
bool checked() { return host_executor::monitor != nullptr; }

std::vector<Options> all_orders() {
  std::vector<Options> result;
  const auto add = [&](ThreadOrder order, std::uint64_t seed) {
    Options o = host_executor::options();
    o.order = order;
    o.seed = seed;
    o.progress_limit = 200'000;
    result.push_back(o);
  };
  add(ThreadOrder::kForward, 1);
  add(ThreadOrder::kReverse, 1);
  for (std::uint64_t seed = 1; seed <= 3; ++seed) add(ThreadOrder::kRandom, seed);
  for (std::uint64_t seed = 1; seed <= 3; ++seed) add(ThreadOrder::kEager, seed);
  return result;
}

std::string where(const Options& o) {
  return "order " + std::to_string(static_cast<int>(o.order)) + ", seed " + std::to_string(o.seed);
}

void expect_error(const SeededBug& bug, const Options& o) {
  const ScopedOptions scope(o);
  try {
    bug.run();
    ADD_FAILURE() << bug.name << " was not reported in " << where(o);
  } catch (const KernelError& error) {
    EXPECT_EQ(error.fault(), bug.fault.value_or(error.fault())) << bug.name << " in " << where(o) << ": " << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
  }
}

bool goes_wrong(const SeededBug& bug) {
  for (const Options& o : all_orders()) {
    const ScopedOptions scope(o);
    if (!bug.run()) return true;
  }
  return false;
}

class SeededBugTest : public testing::TestWithParam<SeededBug> {};

TEST_P(SeededBugTest, IsFound) {
  const SeededBug& bug = GetParam();
  if (kSanitized) {
    if (bug.sanitizer == nullptr) GTEST_SKIP() << "not for sanitizers";
    testing::FLAGS_gtest_death_test_style = "fast";
    EXPECT_DEATH(bug.run(), bug.sanitizer);
  } else if (checked()) {
    if (!bug.fault && bug.sanitizer != nullptr) GTEST_SKIP() << "for sanitizers only";
    for (const Options& o : all_orders()) expect_error(bug, o);
  } else if (bug.plain == Plain::kError) {
    for (const Options& o : all_orders()) expect_error(bug, o);
  } else if (bug.plain == Plain::kWrongResult) {
    EXPECT_TRUE(goes_wrong(bug)) << bug.name << " gave the right result in every order";
  } else {
    GTEST_SKIP() << "for the checked executor or sanitizers only";
  }
}

std::string name_of_case(const testing::TestParamInfo<SeededBug>& info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(All, SeededBugTest, testing::ValuesIn(seeded_bugs()), name_of_case);

TEST(CorrectKernels, PassInEveryOrder) {
  for (const CorrectKernel& kernel : correct_kernels()) {
    for (const Options& o : all_orders()) {
      const ScopedOptions scope(o);
      EXPECT_TRUE(kernel.run()) << kernel.name << " in " << where(o);
    }
  }
}

TEST(CorrectKernels, PassWhenThreadsGiveWayAtAccesses) {
  if (!checked()) GTEST_SKIP() << "the plain executor sees no accesses";
  for (Options o : all_orders()) {
    o.preempt_every = 3;
    const ScopedOptions scope(o);
    for (const CorrectKernel& kernel : correct_kernels()) EXPECT_TRUE(kernel.run()) << kernel.name << " in " << where(o);
  }
}

TEST(Faults, ExceptionsOfKernelsReachTheHost) {
  for (const Options& o : all_orders()) {
    const ScopedOptions scope(o);
    EXPECT_THROW(launch_throwing_kernel(), std::runtime_error);
  }
}

TEST(Faults, LaunchesWorkAfterThem) {
  for (const Options& o : all_orders()) {
    const ScopedOptions scope(o);
    EXPECT_THROW(launch_throwing_kernel(), std::runtime_error);
    for (const SeededBug& bug : seeded_bugs()) {
      if (bug.plain != Plain::kError || kSanitized) continue;
      EXPECT_THROW(bug.run(), KernelError) << bug.name;
    }
    for (const CorrectKernel& kernel : correct_kernels()) EXPECT_TRUE(kernel.run()) << kernel.name;
  }
}

TEST(Faults, TextsNameKernelBlockThreadAndPlace) {
  if (kSanitized) GTEST_SKIP();
  for (const SeededBug& bug : seeded_bugs()) {
    const std::string name = bug.name;
    if (name != "barrier_in_branch" && !(checked() && name == "overwrites_tile")) continue;
    try {
      bug.run();
      ADD_FAILURE() << name << " was not reported";
    } catch (const KernelError& error) {
      const std::string text = error.what();
      EXPECT_NE(text.find(name + "("), std::string::npos) << text;
      EXPECT_NE(text.find("block (0,0,0), thread ("), std::string::npos) << text;
      EXPECT_NE(text.find("seeded_bugs.cu:"), std::string::npos) << text;
      EXPECT_EQ(name == "overwrites_tile", text.find("shared s (1024 bytes)") != std::string::npos) << text;
    }
  }
}

/// A launch looks around what is live, and at nothing that was freed: else a long program's launches become slower and slower.
TEST(Faults, OverrunsAreFoundBesideWhateverWasFreed) {
  if (kSanitized) GTEST_SKIP() << "AddressSanitizer reports them itself";
  const auto& heap = host_executor::DeviceHeap::instance();
  const std::size_t before = heap.live_allocations();
  constexpr int kFloats = 32;
  const DeviceArray<float> in(kFloats + 1, 1.0f);
  std::vector<std::unique_ptr<DeviceArray<float>>> arrays;
  for (int i = 0; i < 9; ++i) arrays.push_back(std::make_unique<DeviceArray<float>>(kFloats));
  for (const std::size_t gone : {0, 8, 3, 4}) arrays[gone].reset();
  EXPECT_EQ(heap.live_allocations(), before + 6);
  const auto fill = [&](float* out, int count) {
    scale_add(out, in.data(), 2, 1, count, nullptr);
    require(cudaDeviceSynchronize());
  };
  for (const auto& array : arrays) {
    if (array == nullptr) continue;
    EXPECT_NO_THROW(fill(array->data(), kFloats));
    EXPECT_THROW(fill(array->data(), kFloats + 1), KernelError);
  }
  arrays.clear();
  EXPECT_EQ(heap.live_allocations(), before + 1);
}

TEST(Faults, DeviceMemoryReadOnTheHostCrashesWhenProtected) {
  if (kSanitized) GTEST_SKIP() << "AddressSanitizer reads it in the host's stead";
  EXPECT_EQ(read_device_memory_on_host(), -17.0f);
  Options o = host_executor::options();
  o.host_access = host_executor::HostAccess::kProtected;
  EXPECT_EXIT(
      {
        const ScopedOptions scope(o);
        read_device_memory_on_host();
      },
      testing::KilledBySignal(SIGSEGV), "");
}

}  // namespace
}  // namespace innerloop::tests
