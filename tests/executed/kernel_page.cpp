// The comparison that guards the traffic: what it lets pass, and what it says of what it does not.
#include <gtest/gtest.h>

#include "kernel_table/page.h"

namespace innerloop::executed {
namespace {

TrafficRow row(const std::string& op, std::uint64_t moved, std::uint64_t conflicts) {
  TrafficRow r;
  r.op = op, r.shape = "W1: 2 of 3x3", r.kernels = op + "_kernel";
  r.launches = 1, r.needed = 100, r.moved = moved, r.conflicts = conflicts;
  return r;
}

std::string page_of(const std::vector<TrafficRow>& rows) {
  const KernelResources none{.architecture = "sm_90", .name = "a_kernel", .instance = "a_kernel", .registers = 32};
  return kernel_page(rows, {none}, "nobody");
}

TEST(KernelPage, AgreesWithItself) {
  const std::vector<TrafficRow> rows{row("a", 1000, 0), row("b", 2000, 7)};
  EXPECT_TRUE(compare_traffic(page_of(rows), rows).empty());
}

TEST(KernelPage, LetsLessAndALittleMorePass) {
  const std::string page = page_of({row("a", 1000, 100)});
  EXPECT_TRUE(compare_traffic(page, {row("a", 1020, 102)}).empty());
  EXPECT_TRUE(compare_traffic(page, {row("a", 10, 0)}).empty());
}

TEST(KernelPage, NamesWhatGrew) {
  const std::string page = page_of({row("a", 1000, 0)});
  const auto moved = compare_traffic(page, {row("a", 1021, 0)}), conflicts = compare_traffic(page, {row("a", 1000, 1)});
  ASSERT_EQ(moved.size(), 1u);
  EXPECT_EQ(moved[0], "a, W1: 2 of 3x3 (a_kernel): 1021 bytes moved, before 1000");
  ASSERT_EQ(conflicts.size(), 1u);
  EXPECT_EQ(conflicts[0], "a, W1: 2 of 3x3 (a_kernel): 1 bank conflicts, before 0");
}

TEST(KernelPage, NamesRowsThatComeAndGo) {
  const auto lines = compare_traffic(page_of({row("a", 1000, 0)}), {row("b", 1000, 0)});
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0], "b, W1: 2 of 3x3: not on the page");
  EXPECT_EQ(lines[1], "a, W1: 2 of 3x3: on the page and no longer counted");
  EXPECT_THROW(compare_traffic("no table", {}), Error);
}

}  // namespace
}  // namespace innerloop::executed
