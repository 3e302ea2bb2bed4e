// metagrad: one exact meta-gradient on tensors given from outside.
#include <fmt/core.h>

#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <optional>
#include <vector>

#include "kernels/tally.h"
#include "meta/problem.h"
#include "tensor/arena_stats.h"
#include "tensor/device.h"
#include "tools/command.h"
#include "tools/common_options.h"
#include "tools/messages.h"
#include "tools/output_check.h"
#include "tools/problem_options.h"

namespace innerloop::tools {
namespace {

struct MetagradRequest {
  CommonOptions common;
  GraphOption graph;
  std::string problem, out;
  std::string dtype = "f32";
  std::int64_t repeat = 0;
  bool keep_steps = false;
};

double mean(const Tensor& values) {
  double total = 0;
  for (std::int64_t i = 0; i < values.numel(); ++i) total += values.item(i);
  return total / static_cast<double>(values.numel());
}

void check_finite(const meta::MetaResult& result, const std::string& problem) {
  for (std::int64_t t = 0; t < result.query_loss.numel(); ++t) {
    IL_CHECK(std::isfinite(result.query_loss.item(t)),
             "{}: the query loss of task {} is not finite after the inner steps; lower inner.rate or inner.steps",
             problem, t);
  }
  IL_CHECK(std::isfinite(meta::norm(result.gradient)),
           "{}: the meta-gradient is not finite; lower inner.rate or inner.steps", problem);
}

struct Timing {
  double first = 0, median = 0, min = 0;
};

/// `times` of the runs after the first; the first stands for them when there are none.
Timing summarise(double first, std::vector<double> times) {
  if (times.empty()) return {first, first, first};
  std::ranges::sort(times);
  const std::size_t middle = times.size() / 2;
  const double median = times.size() % 2 == 1 ? times[middle] : (times[middle - 1] + times[middle]) / 2;
  return {first, median, times.front()};
}

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

int run(const MetagradRequest& o) {
  refuse_to_replace_input("--out", o.out, {o.problem});
  Context context = o.common.make_context(o.common.run());
  ContextScope scope(context);
  const DType dtype = o.dtype == "f64" ? DType::kF64 : DType::kF32;
  meta::Problem problem = meta::load_problem(o.problem, dtype);
  const io::Config config = apply_options("metagrad", o.common, o.problem, problem);
  check_writable(o.out);
  // Memory that does not grow with the steps is what mixed mode is for; a device's is made for keeping.
  if (o.keep_steps) {
    problem.options.memory = meta::StepMemory::kKeep;
  } else if (problem.options.memory == meta::StepMemory::kAuto && context.device() == nullptr) {
    problem.options.memory = meta::StepMemory::kRecompute;
  }

  context.arena().reset_peak();
  meta::MetaResult result;
  Device* device = context.device();
  const auto step = [&] {
    result = meta::meta_gradient(problem.net, problem.params, problem.tasks, problem.options);
    if (device != nullptr && !device->is_recording()) device->synchronize();
  };
  double first = 0;
  kernels::KernelTally::Entry cost;
  {
    const kernels::KernelTally tally;  // of the first step alone: the runs that are timed are not watched
    first = seconds_of(step);
    cost = tally.total();
  }
  check_finite(result, o.problem);
  // On a GPU the runs that are timed are replays of one record, whose result tensors each of them fills again.
  std::shared_ptr<Recording> recording;
  if (device != nullptr && o.repeat > 0 && o.graph.choice() == meta::Replay::kOn) {
    result = {};
    recording = device->record(step);
  }
  std::vector<double> times;
  const auto progress = counting_progress("metagrad run");
  for (std::int64_t i = 0; i < o.repeat; ++i) {
    if (recording != nullptr) {
      times.push_back(seconds_of([&] {
        device->replay(*recording);
        device->synchronize();
      }));
    } else {
      result = {};  // its bytes are not part of the next run's peak
      times.push_back(seconds_of(step));
    }
    progress(i + 1, o.repeat);
  }
  const Timing timing = summarise(first, times);
  const std::size_t peak = context.arena().stats().peak;
  const double loss = mean(result.query_loss);
  const double grad_norm = meta::norm(result.gradient);
  if (!o.common.json()) {
    fmt::print("loss {:.8g}  gradient norm {:.8g}\n", loss, grad_norm);
    fmt::print("first {:.4f} s  median {:.4f} s  min {:.4f} s  peak {:.1f} MB  ({}, {} threads, {})\n", timing.first,
               timing.median, timing.min, static_cast<double>(peak) * 1e-6, name_of(context.target()),
               context.threads().threads(), o.dtype);
  } else {
    print_json({{"loss", loss},
                {"grad_norm", grad_norm},
                {"first_s", timing.first},
                {"median_s", timing.median},
                {"min_s", timing.min},
                {"samples_s", times},
                {"repeat", o.repeat},
                {"peak_bytes", peak},
                {"kernel_calls", cost.calls},
                {"flops", cost.cost.flops},
                {"bytes", cost.cost.bytes},
                {"device", device_name(context)},
                {"graph_nodes", recording != nullptr ? Json(recording->nodes()) : Json()},
                {"target", name_of(context.target())},
                {"threads", context.threads().threads()},
                {"precision", o.dtype},
                {"method", io::name_of(config.inner.method)},
                {"order", config.inner.order == io::Order::kSecond ? 2 : 1},
                {"steps", config.inner.steps},
                {"rate", config.inner.rate},
                {"tasks", problem.tasks.tasks()},
                {"out", o.out}});
  }
  // Last: a disk that has become full meanwhile costs the file, and not what has been measured.
  meta::save_problem_result(o.out, problem, result);
  if (!o.common.json()) fmt::print("{}\n", o.out);
  return kDone;
}

}  // namespace

void add_metagrad(CommandLine& line) {
  auto o = std::make_shared<MetagradRequest>();
  CLI::App& command =
      line.add(line.app, "metagrad", "Computes one exact meta-gradient on tensors given from outside.",
               "It is the bridge to other frameworks, oracles and profilers. PROBLEM is a safetensors file: the "
               "parameters by name (block1.conv.weight [R,S,C,K], block1.norm.scale, block1.norm.shift, ..., "
               "head.weight [F,N], head.bias [N]), support_x [T,S,H,W,C], support_y [T,S], query_x [T,Q,H,W,C], "
               "query_y [T,Q] (images float, labels int64), and metadata 'config' with the [model] and [inner] keys "
               "as TOML; bench/make_problem.py writes such files. RESULT holds the meta-gradient under the "
               "parameters' names, query_loss [T] and support_loss [T,K].",
               "  python3 bench/make_problem.py --workload w1 --out w1.safetensors\n"
               "  innerloop metagrad w1.safetensors --out gradient.safetensors --repeat 3 --json");
  command.add_option("problem", o->problem, "the problem, a safetensors file")->required()->type_name("PROBLEM");
  command.add_option("--out", o->out, "where the result goes")->required()->type_name("RESULT");
  command.add_option("--dtype", o->dtype, "precision of the computation and of RESULT; tensors are converted to it")
      ->check(CLI::IsMember({"f32", "f64"}))
      ->capture_default_str()
      ->type_name("f32|f64");
  command.add_option("--repeat", o->repeat, "further timed runs after the first; median_s and min_s are over them")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1'000'000}))
      ->capture_default_str()
      ->type_name("R");
  command.add_flag(
      "--keep-steps", o->keep_steps,
      "keep the record of every inner step instead of computing it again: faster, memory grows with the steps");
  o->graph.add_to(command);
  o->common.add_to(command, {{"--method", {"inner.method"}, "mixed|reverse"},
                             {"--order", {"inner.order"}, "1|2"},
                             {"--steps", {"inner.steps"}}});
  line.on_run(command, [o] { return run(*o); });
}

}  // namespace innerloop::tools
