#include "io/progress.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace innerloop::io {
namespace {

/// A Progress that writes into `out` and takes its time from `now`.
struct Bench {
  explicit Bench(ProgressOptions options)
      : progress(
            options, [this](std::string_view text) { out += text; }, [this] { return now; }) {}
  double now = 100;
  std::string out;
  Progress progress;
};

TEST(Progress, DurationsReadAtAGlance) {
  EXPECT_EQ(format_duration(0), "0.0s");
  EXPECT_EQ(format_duration(0.42), "0.4s");
  EXPECT_EQ(format_duration(9.94), "9.9s");
  EXPECT_EQ(format_duration(9.96), "10s");
  EXPECT_EQ(format_duration(59.6), "1m00s");
  EXPECT_EQ(format_duration(192), "3m12s");
  EXPECT_EQ(format_duration(3599.7), "1h00m");
  EXPECT_EQ(format_duration(3900), "1h05m");
  EXPECT_EQ(format_duration(86400 * 2 + 3 * 3600), "2d03h");
  EXPECT_EQ(format_duration(NAN), "?");
  EXPECT_EQ(format_duration(INFINITY), "?");
  EXPECT_EQ(format_duration(-1), "?");
  EXPECT_EQ(format_duration(1e300), "?");
}

TEST(Progress, ALineTellsStepLossAccuracySpeedAndTimeLeft) {
  Bench bench({.total = 2000, .tasks_per_step = 32});
  bench.now += 100.8;
  bench.progress.update(120, 0.9123, 0.7131);
  EXPECT_EQ(bench.out, "step 120/2000  loss 0.912  acc 0.713  38.1 tasks/s  eta 26m19s\n");
}

TEST(Progress, ResumedStepsDoNotCountAsSpeed) {
  Bench bench({.total = 30, .done = 10, .tasks_per_step = 2});
  bench.now += 10;
  bench.progress.update(20, NAN, NAN);
  EXPECT_EQ(bench.out, "step 20/30  2.00 tasks/s  eta 10s\n");
}

TEST(Progress, PlainLinesKeepTheirCadenceAndTheLastOneAlwaysComes) {
  Bench bench({.total = 100, .line_seconds = 10});
  for (std::int64_t step = 1; step <= 100; ++step) {
    bench.now += 0.5;
    bench.progress.update(step, 1, 1);
  }
  // The first at 0.5 s, then every 10 s up to 40.5 s, and the last at 50 s.
  EXPECT_EQ(std::count(bench.out.begin(), bench.out.end(), '\n'), 6);
  EXPECT_NE(bench.out.find("step 1/100"), std::string::npos);
  EXPECT_NE(bench.out.find("step 100/100  loss 1.000  acc 1.000  in 50s\n"), std::string::npos) << bench.out;
  EXPECT_EQ(bench.out.find('\r'), std::string::npos);
}

TEST(Progress, ATerminalLineIsRewrittenAndCoversTheLongerOneBefore) {
  std::string out;
  double now = 0;
  {
    Progress progress(
        {.total = 9, .style = ProgressStyle::kRewrite}, [&](std::string_view text) { out += text; },
        [&] { return now; });
    progress.update(1, 10.5, 0.5);
    const std::size_t width = out.size() - 1;
    EXPECT_EQ(out, "\rstep 1/9  loss 10.500  acc 0.500");
    out.clear();
    now = 0.05;
    progress.update(2, 1, 1);
    EXPECT_EQ(out, "") << "too soon";
    now = 0.2;
    progress.update(3, NAN, NAN);
    EXPECT_EQ(out.size(), width + 1);
    EXPECT_EQ(out.rfind("\rstep 3/9  eta 0.4s", 0), 0u) << out;
    out.clear();
    progress.message("evaluated: 0.83");
    EXPECT_EQ(out.front(), '\r');
    EXPECT_EQ(out.substr(out.rfind('\r') + 1), "evaluated: 0.83\n");
    progress.update(9, NAN, NAN);
    out.clear();
  }
  EXPECT_EQ(out, "\n") << "the shell's prompt has to start on a fresh line";
}

}  // namespace
}  // namespace innerloop::io
