// Profiles: what is recorded is what ran, tables add up, and the files are what their readers expect.
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "kernels/tally.h"
#include "meta/fixtures.h"
#include "meta/meta_gradient.h"
#include "meta/profile/flame.h"
#include "meta/profile/recorder.h"
#include "meta/profile/roofline.h"
#include "meta/profile/table.h"
#include "meta/profile/trace_file.h"
#include "tensor/trace.h"

namespace innerloop::meta::profile {
namespace {

using nlohmann::json;

constexpr Roofline kMachine{.flops_per_s = 1e11, .memory_bytes_per_s = 1e10, .cache_bytes_per_s = 0, .cache_bytes = 0};

class Profile : public testing::Test {
 protected:
  Profile() {
    options_.inner.steps = 2;
    options_.inner.rate = 0.1;
  }
  void step() { meta_gradient(problem_.net, problem_.params, problem_.tasks, options_); }
  Recording record() {
    Recorder recorder(Context::current().device());
    {
      const TraceRange range("meta-step");
      step();
    }
    return recorder.finish();
  }

  test::RandomProblem problem_ = test::random_problem(test::tiny_net(), 3, DType::kF32);
  MetaOptions options_;
};

std::set<std::string> labels(const Table& table) {
  std::set<std::string> out;
  for (const Row& row : table.rows) out.insert(row.labels[0]);
  return out;
}

TEST_F(Profile, RecordsWhatATallyCounts) {
  kernels::KernelTally::Entry counted;
  {
    const kernels::KernelTally tally;
    step();
    counted = tally.total();
  }
  ASSERT_GT(counted.calls, has_device_engine() ? 38 : 50);  // fused there
  const Recording recording = record();
  std::int64_t leaves = 0;
  for (const Track* lane : recording.lanes())
    for (const Span& span : lane->spans) leaves += span.is_kernel() && !span.composed ? 1 : 0;
  EXPECT_EQ(leaves, counted.calls);
  const Table table = tabulate(recording, {Key::kKernel}, kMachine);
  EXPECT_EQ(table.sum.cost, counted.cost);
}

TEST_F(Profile, NamesLayersStepsAndOrders) {
  const Recording recording = record();
  EXPECT_EQ(labels(tabulate(recording, {Key::kLayer}, kMachine)),
            (std::set<std::string>{"block1", "block2", "head", "-"}));
  EXPECT_EQ(labels(tabulate(recording, {Key::kStep}, kMachine)),
            (std::set<std::string>{"1", "2", "query gradient", "start, join"}));
  EXPECT_EQ(labels(tabulate(recording, {Key::kOrder}, kMachine)),
            (std::set<std::string>{"forward", "first", "tangent", "second", "update"}));
  // The second derivative of a layer is twice the work of its first.
  const Table table = tabulate(recording, {Key::kLayer, Key::kOrder, Key::kKernel}, kMachine);
  const auto flops = [&](const std::vector<std::string>& at) {
    for (const Row& row : table.rows)
      if (row.labels == at) return row.cost.flops / row.calls;
    ADD_FAILURE() << at[0] << " " << at[1] << " " << at[2] << " is missing";
    return std::int64_t{1};
  };
  if (recording.queue) {
    // There a kernel makes both gradients and takes the step, whose two FLOPs a parameter are not made twice.
    const auto first = static_cast<double>(flops({"block2", "first", "conv_grads_step"}));
    EXPECT_NEAR(static_cast<double>(flops({"block2", "second", "conv_grads_step"})), 2 * first, 0.05 * first);
    const auto chosen = static_cast<double>(flops({"block1", "first", "conv_block_step"}));
    EXPECT_NEAR(static_cast<double>(flops({"block1", "second", "conv_block_step_jvp"})), 2 * chosen, 0.15 * chosen);
    return;
  }
  EXPECT_EQ(flops({"block2", "second", "conv_weight_grad"}), 2 * flops({"block2", "first", "conv_weight_grad"}));
  // Its sums run over the chosen patches, in the second derivative for a cotangent and its tangent.
  EXPECT_EQ(flops({"block1", "second", "conv_block_grad_jvp"}), 2 * flops({"block1", "first", "conv_block_grad"}));
}

TEST_F(Profile, RowsAndWhatIsOutsideAddUpToTheWallTime) {
  const Recording recording = record();
  for (const std::vector<Key>& keys : {std::vector{Key::kLayer, Key::kOrder}, {Key::kStep}, {Key::kKernel}, {}}) {
    const Table table = tabulate(recording, keys, kMachine);
    double seconds = 0;
    kernels::KernelCost cost;
    for (const Row& row : table.rows) {
      EXPECT_GE(row.seconds, 0);
      seconds += row.seconds;
      cost += row.cost;
    }
    EXPECT_NEAR(seconds + table.outside_seconds, table.total_seconds, 1e-9);
    EXPECT_NEAR(table.total_seconds, table.wall_seconds * table.lanes, 1e-12);
    EXPECT_EQ(cost, table.sum.cost);
    EXPECT_GE(table.outside_seconds, 0);
    EXPECT_GE(table.at_work_seconds, 0);
    EXPECT_LE(table.at_work_seconds, table.outside_seconds + 1e-9);
    EXPECT_EQ(table.at_work_seconds > 0, Context::current().device() == nullptr);
    EXPECT_EQ(table.wall_seconds, recording.seconds);
  }
}

TEST_F(Profile, RowsFollowTheMetaStep) {
  const Table table = tabulate(record(), {Key::kStep, Key::kOrder}, kMachine);
  std::vector<std::string> steps;
  for (const Row& row : table.rows)
    if (steps.empty() || steps.back() != row.labels[0]) steps.push_back(row.labels[0]);
  EXPECT_EQ(steps, (std::vector<std::string>{"1", "2", "query gradient", "start, join"}));
  EXPECT_EQ(table.rows[0].labels[1], "forward");
  EXPECT_EQ(table.rows[1].labels[1], "first");
}

TEST_F(Profile, SpansLieInsideOfEachOther) {
  const Recording recording = record();
  for (const Track& track : recording.threads) {
    for (const Span& span : track.spans) {
      EXPECT_LE(span.begin, span.end) << span.name;
      EXPECT_LE(span.end, recording.seconds) << span.name;
      if (span.parent < 0) continue;
      const Span& around = track.spans[static_cast<std::size_t>(span.parent)];
      EXPECT_GE(span.begin, around.begin) << span.name << " in " << around.name;
      EXPECT_LE(span.end, around.end) << span.name << " in " << around.name;
    }
  }
  EXPECT_EQ(recording.queue.has_value(), Context::current().device() != nullptr);
  if (!recording.queue) return;
  // On a queue one kernel follows another.
  double before = 0;
  for (const Span& span : recording.queue->spans) {
    if (span.composed) continue;
    EXPECT_GE(span.begin, before) << span.name;
    EXPECT_GE(span.end, span.begin) << span.name;
    before = span.end;
  }
  EXPECT_LE(before, recording.seconds);
}

TEST_F(Profile, AThreadEachIsATrackEach) {
  if (Context::current().device() != nullptr) GTEST_SKIP() << "one thread puts work on a device's queue";
  Context context(3);
  const ContextScope scope(context);
  const Recording recording = record();
  EXPECT_GE(recording.threads.size(), 1u);
  EXPECT_LE(recording.threads.size(), 3u);
  std::int64_t inner_steps = 0;
  for (const Track& track : recording.threads)
    for (const Span& span : track.spans) inner_steps += span.name == "inner step" ? 1 : 0;
  EXPECT_EQ(inner_steps, 3 * 2) << "two steps for each of three tasks; their records fit and are kept";
}

TEST_F(Profile, NothingIsWatchedAfterwards) {
  static constexpr TraceHooks kOthers{[](const char*) noexcept {}, []() noexcept {}};
  set_trace_hooks(&kOthers);
  {
    Recorder recorder(nullptr);
    EXPECT_THROW(Recorder(nullptr), Error);
    EXPECT_NE(trace_internal::current.load(), &kOthers);
  }
  EXPECT_EQ(trace_internal::current.load(), &kOthers);
  EXPECT_EQ(kernels::watch_internal::current.load(), nullptr);
  set_trace_hooks(nullptr);
}

TEST_F(Profile, AThreadsClockLeavesOutWhatItWaited) {
  Device* device = Context::current().device();
  if (device != nullptr) {
    EXPECT_THROW(Recorder(device, HostClock::kThread), Error);
    return;
  }
  Recorder recorder(nullptr, HostClock::kThread);
  {
    const TraceRange range("sleep");
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  step();
  const Recording recording = recorder.finish();
  const Span& sleep = recording.threads[0].spans[0];
  EXPECT_GE(sleep.end - sleep.begin, 0.05);
  EXPECT_LT(sleep.taken, 0.025);
  const Table table = tabulate(recording, {Key::kKernel}, kMachine);
  EXPECT_GT(table.sum.seconds, 0);
  EXPECT_NEAR(table.sum.seconds, recording.kernel_seconds(), 1e-12);
  EXPECT_GE(table.outside_seconds, 0.025) << "the sleep is in no kernel";
}

TEST_F(Profile, TheSameBitsWithAndWithout) {
  const MetaResult plain = meta_gradient(problem_.net, problem_.params, problem_.tasks, options_);
  Recorder recorder(Context::current().device());
  const MetaResult watched = meta_gradient(problem_.net, problem_.params, problem_.tasks, options_);
  recorder.finish();
  for (std::size_t i = 0; i < plain.gradient.size(); ++i) {
    const Tensor a = plain.gradient[i].to_host(), b = watched.gradient[i].to_host();
    for (std::int64_t k = 0; k < a.numel(); ++k) ASSERT_EQ(a.item(k), b.item(k));
  }
}

TEST_F(Profile, TheTraceIsOneThatViewersRead) {
  const Recording recording = record();
  const json trace = json::parse(chrome_trace(recording));
  std::set<std::string> names, tracks;
  std::size_t complete = 0;
  for (const json& event : trace["traceEvents"]) {
    if (event["name"] == "thread_name") tracks.insert(event["args"]["name"]);
    if (event["ph"] != "X") continue;
    ++complete;
    names.insert(event["name"]);
    EXPECT_GE(event["dur"].get<double>(), 0);
    EXPECT_TRUE(event["ts"].is_number() && event["tid"].is_number() && event["pid"].is_number());
    if (event["cat"] != "kernel") continue;
    for (const char* key : {"layer", "step", "order", "flops", "bytes"}) EXPECT_TRUE(event["args"].contains(key)) << key;
  }
  std::size_t spans = recording.queue ? recording.queue->spans.size() : 0;
  for (const Track& t : recording.threads) spans += t.spans.size();
  EXPECT_EQ(complete, spans);
  // The names of the trace ranges, which NVTX shows too.
  for (const char* name : {"meta-step", "inner step", "hessian-vector product", "query gradient", "reverse walk",
                           "tangent walk", "block1", "head",
                           recording.queue ? "conv_block_step_jvp" : "conv_block_grad_jvp"})
    EXPECT_TRUE(names.contains(name)) << name;
  EXPECT_TRUE(tracks.contains("thread 1"));
  EXPECT_EQ(tracks.contains("device queue"), recording.queue.has_value());
}

/// The boxes of a flame page, as its script reads them.
json boxes_of(const std::string& page) {
  const std::string begin = "const tree = ", end = ";\n";
  const std::size_t at = page.find(begin) + begin.size();
  return json::parse(page.substr(at, page.find(end, at) - at));
}

void check_box(const json& box) {
  double inside = 0;
  for (const json& child : box.value("c", json::array())) {
    inside += child["s"].get<double>();
    check_box(child);
  }
  EXPECT_LE(inside, box["s"].get<double>() * (1 + 1e-9) + 1e-9) << box["n"];
}

TEST_F(Profile, TheFlameGraphIsOnePageWhoseBoxesFit) {
  const std::string page = flame_page(record(), "a <title> & \"more\" @TREE@");
  EXPECT_EQ(page.find("http"), std::string::npos) << "nothing is fetched";
  EXPECT_EQ(page.find("src="), std::string::npos);
  EXPECT_NE(page.find("a &lt;title&gt; &amp; &quot;more&quot; @TREE@</h1>"), std::string::npos);
  for (const char* part : {"prefers-color-scheme: dark", "width=device-width"})
    EXPECT_NE(page.find(part), std::string::npos) << part;
  const json boxes = boxes_of(page);
  check_box(boxes);
  std::set<std::string> kinds;
  const std::function<void(const json&)> collect = [&](const json& box) {
    kinds.insert(box["k"]);
    for (const json& child : box.value("c", json::array())) collect(child);
  };
  collect(boxes);
  EXPECT_EQ(kinds, (std::set<std::string>{"range", "forward", "first", "tangent", "second", "update"}));
}

TEST(Roofline, TheHigherOfTwoFloorsBinds) {
  EXPECT_DOUBLE_EQ(kMachine.least_seconds({200, 10}), 2e-9);
  EXPECT_DOUBLE_EQ(kMachine.least_seconds({200, 100}), 1e-8);
  const Roofline cached{.flops_per_s = 1e11, .memory_bytes_per_s = 1e10, .cache_bytes_per_s = 1e11, .cache_bytes = 100};
  EXPECT_DOUBLE_EQ(cached.least_seconds({10, 100}), 1e-9);
  EXPECT_DOUBLE_EQ(cached.least_seconds({10, 101}), 1.01e-8);
}

TEST(Roofline, IsMeasured) {
  const Roofline r = measure_roofline(Context::current());
  // Any machine of this century, and none of the next.
  EXPECT_GT(r.flops_per_s, 1e6);
  EXPECT_LT(r.flops_per_s, 1e16);
  EXPECT_GT(r.memory_bytes_per_s, 1e6);
  EXPECT_LT(r.memory_bytes_per_s, 1e14);
}

}  // namespace
}  // namespace innerloop::meta::profile
