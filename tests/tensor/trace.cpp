#include "tensor/trace.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace innerloop {
namespace {

thread_local std::vector<std::string> t_seen;

constexpr TraceHooks kFirst{[](const char* name) noexcept { t_seen.push_back(std::string("+") + name); },
                            []() noexcept { t_seen.push_back("-"); }};
constexpr TraceHooks kSecond{[](const char* name) noexcept { t_seen.push_back(std::string("2+") + name); },
                             []() noexcept { t_seen.push_back("2-"); }};

using Seen = std::vector<std::string>;

class Trace : public testing::Test {
 protected:
  Trace() { t_seen.clear(); }
  ~Trace() override { set_trace_hooks(nullptr); }
};

TEST_F(Trace, CallsNothingWhenOff) {
  { const TraceRange range("step"); }
  EXPECT_EQ(t_seen, Seen{});
}

TEST_F(Trace, RangesNestByScope) {
  set_trace_hooks(&kFirst);
  {
    const TraceRange outer("outer");
    { const TraceRange inner("inner"); }
    { const TraceRange second("second"); }
  }
  EXPECT_EQ(t_seen, (Seen{"+outer", "+inner", "-", "+second", "-", "-"}));
}

TEST_F(Trace, EachThreadHasItsOwn) {
  set_trace_hooks(&kFirst);
  const TraceRange here("here");
  Seen there;
  std::thread([&] {
    { const TraceRange range("there"); }
    there = t_seen;
  }).join();
  EXPECT_EQ(there, (Seen{"+there", "-"}));
  EXPECT_EQ(t_seen, Seen{"+here"});
}

TEST_F(Trace, ARangeEndsWithTheHooksThatSawItBegin) {
  {
    const TraceRange before("before");
    set_trace_hooks(&kFirst);
    const TraceRange range("first");
    set_trace_hooks(&kSecond);
    const TraceRange last("second");
    set_trace_hooks(nullptr);
  }
  EXPECT_EQ(t_seen, (Seen{"+first", "2+second", "2-", "-"}));
}

}  // namespace
}  // namespace innerloop
