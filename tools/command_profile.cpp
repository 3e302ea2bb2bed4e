// profile: where the time of a meta-step goes.
#include <fmt/core.h>

#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/atomic_file.h"
#include "meta/from_config.h"
#include "meta/holdout.h"
#include "meta/meta_step.h"
#include "meta/problem.h"
#include "meta/profile/flame.h"
#include "meta/profile/recorder.h"
#include "meta/profile/roofline.h"
#include "meta/profile/table.h"
#include "meta/profile/trace_file.h"
#include "tensor/trace.h"
#include "tools/command.h"
#include "tools/common_options.h"
#include "tools/load_data.h"
#include "tools/messages.h"
#include "tools/output_check.h"
#include "tools/problem_options.h"
#include "tools/profile_output.h"
#include "tools/run_config.h"
#include "tools/stop_signal.h"

namespace innerloop::tools {
namespace {

namespace profile = meta::profile;

struct ProfileRequest {
  CommonOptions common;
  PresetOption preset;
  BadFileOption bad_files;
  std::string problem, data, dtype = "f32", clock = "wall", trace, flame;
  std::vector<std::string> by;
  std::int64_t repeat = 5;
};

/// What is profiled: something that does one meta-step at each call, and a name for it.
struct Work {
  std::function<void()> step;
  std::string title;
};

Work problem_work(const ProfileRequest& o) {
  auto problem = std::make_shared<meta::Problem>(meta::load_problem(o.problem, o.dtype == "f64" ? DType::kF64 : DType::kF32));
  apply_options("profile", o.common, o.problem, *problem);
  const meta::MetaOptions& m = problem->options;
  return {[problem] {
            const TraceRange range("meta-step");
            meta::meta_gradient(problem->net, problem->params, problem->tasks, problem->options);
          },
          fmt::format("{}: meta-gradient, {} tasks, {} inner steps, {}", o.problem, problem->tasks.tasks(), m.inner.steps,
                      m.order == meta::Order::kSecond ? "second order" : "first order")};
}

/// The first meta-steps of a training run, without its folder.
struct Training {
  meta::DataSplit split;
  nn::ConvNet net;
  meta::TaskSource source;
  meta::MetaStep steps;

  Training(meta::DataSplit data, const io::Config& config)
      : split(std::move(data)),
        net(meta::conv_net_options(config)),
        source(split.train, meta::task_source_options(config)),
        steps(net, source, meta::optimizer_options(config), meta::meta_options(config), meta::Replay::kOff) {
    const std::vector<Tensor> params = net.init(static_cast<std::uint64_t>(config.run.seed));
    steps.set(params, meta::init_optimizer(meta::optimizer_options(config), params));
  }
};

Work training_work(const ProfileRequest& o) {
  io::Config config = o.common.resolve(o.preset.base(o.data, o.common));
  config.outer.iterations = std::max(config.outer.iterations, o.repeat + 1);
  const io::ImageSet set = load_data(o.data, meta::load_options(config), o.bad_files);
  say(o.preset.origin(o.data, o.common));
  auto training = std::make_shared<Training>(meta::split_data(set, config), config);
  return {[training] { training->steps.run(1); },
          fmt::format("{}: training, {} tasks, {} inner steps, {} order", o.data, config.outer.tasks, config.inner.steps,
                      config.inner.order == io::Order::kSecond ? "second" : "first")};
}

std::vector<profile::Key> keys_of(const std::vector<std::string>& names) {
  std::vector<profile::Key> keys;
  for (auto name = names.begin(); name != names.end(); ++name)
    if (std::find(names.begin(), name, *name) != name) fail_usage("--by: {} comes twice; name each key once", *name);
  for (const std::string& name : names)
    for (const profile::Key key : profile::kAllKeys)
      if (name_of(key) == name) keys.push_back(key);
  return keys;
}

std::filesystem::path whole_path(const std::string& path) {
  return std::filesystem::weakly_canonical(std::filesystem::absolute(path));
}

/// Fails before the work, not after it, where a file cannot be written.
std::optional<io::AtomicFile> open(const std::string& path) {
  return path.empty() ? std::nullopt : std::optional<io::AtomicFile>(std::in_place, path);
}

void fill(std::optional<io::AtomicFile>& file, const std::function<std::string()>& content) {
  if (!file) return;
  file->write(content());
  file->commit();
}

/// Of several meta-steps the one that others on the machine disturbed least; none when it was stopped before the last.
std::optional<profile::Recording> fastest(const Work& work, Context& context, std::int64_t repeats,
                                          profile::HostClock clock, const std::atomic<bool>& stop) {
  profile::Recording best;
  const auto progress = counting_progress("meta-step");
  for (std::int64_t i = 0; i < repeats; ++i) {
    if (stop) return std::nullopt;
    profile::Recorder recorder(context.device(), clock);
    work.step();
    profile::Recording one = recorder.finish();
    const bool better = clock == profile::HostClock::kWall ? one.seconds < best.seconds : one.kernel_seconds() < best.kernel_seconds();
    if (i == 0 || better) best = std::move(one);
    progress(i + 1, repeats);
  }
  return best;
}

int run(const ProfileRequest& o) {
  using enum profile::Key;
  if (o.problem.empty() == o.data.empty()) fail_usage("profile: give a PROBLEM file or --data, one of them");
  if (!o.trace.empty() && !o.flame.empty() && whole_path(o.trace) == whole_path(o.flame))
    fail_usage("profile: --trace and --flame name one file, {}; give two", o.trace);
  if (!o.data.empty() && o.dtype != "f32") fail_usage("profile: --dtype {} is for a PROBLEM file; training is in f32", o.dtype);
  refuse_to_replace_input("--trace", o.trace, {o.problem, o.data});
  refuse_to_replace_input("--flame", o.flame, {o.problem, o.data});
  const std::vector<profile::Key> by = keys_of(o.by);
  const std::atomic<bool>& stop = catch_stop_signals();  // the files that are open are removed, not left behind
  Context context = o.common.make_context(o.common.run());
  const ContextScope scope(context);
  const auto clock = o.clock == "thread" ? profile::HostClock::kThread : profile::HostClock::kWall;
  if (clock == profile::HostClock::kThread && context.device() != nullptr)
    fail_usage("profile: --clock thread is for the CPU; a GPU's kernels are timed on its queue");
  const Work work = o.data.empty() ? problem_work(o) : training_work(o);
  std::optional<io::AtomicFile> trace = open(o.trace), flame = open(o.flame);
  const profile::Roofline roofline = profile::measure_roofline(context, clock);
  if (!stop) work.step();  // takes memory from the system and makes choices that later steps find made
  const std::optional<profile::Recording> measured = fastest(work, context, o.repeat, clock, stop);
  if (!measured) return kStopped;
  const profile::Recording& recording = *measured;

  fill(trace, [&] { return profile::chrome_trace(recording); });
  fill(flame, [&] { return profile::flame_page(recording, work.title); });
  const auto table = [&](const std::vector<profile::Key>& keys) {
    return profile::tabulate(recording, keys, roofline);
  };
  if (!o.common.json()) {
    const profile::Table first = table(by.empty() ? std::vector{kLayer, kOrder} : by);
    fmt::print("{}\n{} ({} threads): {:.3f} ms, the fastest of {} meta-steps; times below are of {} {}{}\n", work.title,
               name_of(context.target()), context.threads().threads(), first.wall_seconds * 1e3, o.repeat, first.lanes,
               first.lanes == 1 ? "lane" : "lanes together",
               clock == profile::HostClock::kThread ? ", kernels by the clock of their thread" : "");
    fmt::print("roofline of all threads: {}\n\n", describe(roofline));
    print_table(first);
    if (o.by.empty()) {
      fmt::print("\n");
      print_table(table({kStep}));
    }
    for (const std::string& path : {o.trace, o.flame})
      if (!path.empty()) fmt::print("{}\n", path);
    return kDone;
  }
  const profile::Table all = table(by.empty() ? std::vector{kLayer, kStep, kOrder} : by);
  print_json({{"what", work.title},
              {"device", device_name(context)},
              {"target", name_of(context.target())},
              {"threads", context.threads().threads()},
              {"repeat", o.repeat},
              {"clock", o.clock},
              {"lanes", all.lanes},
              {"wall_s", all.wall_seconds},
              {"total_s", all.total_seconds},
              {"kernels_s", all.sum.seconds},
              {"outside_s", all.outside_seconds},
              {"outside_at_work_s", all.at_work_seconds},
              {"calls", all.sum.calls},
              {"flops", all.sum.cost.flops},
              {"bytes", all.sum.cost.bytes},
              {"roofline_share", all.sum.roofline_share()},
              {"roofline", json_of(roofline)},
              {"rows", json_of_rows(all)}});
  return kDone;
}

}  // namespace

void add_profile(CommandLine& line) {
  auto o = std::make_shared<ProfileRequest>();
  CLI::App& command = line.add(
      line.app, "profile", "Shows where the time of a meta-step goes.",
      "Profiles the meta-gradient of PROBLEM (a file as metagrad takes it), or the first meta-steps of a training run on "
      "--data, by layer, inner step and derivative order: forward, first (the gradient), tangent, second (the tangent of the "
      "gradient), update, draw. For each: time, FLOPs and ideal bytes by the kernels' own formulas, and the share of the "
      "roofline, whose ceilings are measured at the start. Rows and 'outside kernels' add up to the wall time of all lanes (the "
      "threads that run kernels, or a GPU's queue). A GPU launches kernel by kernel for this, and not as one graph.",
      "  innerloop profile --data synthetic --tasks 2 --steps 2 --repeat 1 --trace trace.json --flame flame.html\n"
      "  innerloop profile --data synthetic --tasks 2 --steps 2 --repeat 1 --by kernel");
  command.add_option("problem", o->problem, "a meta-gradient problem, a safetensors file")->type_name("PROBLEM");
  command.add_option("--data", o->data, "profile training on a folder, a packed file, or the word synthetic")->type_name("D");
  command.add_option("--repeat", o->repeat, "meta-steps to take the fastest of, after one that is not counted")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1000}))
      ->capture_default_str()
      ->type_name("R");
  command
      .add_option("--by", o->by,
                  "group the table by these, in this order: layer, step, order, kernel (default: layer and order, then step)")
      ->delimiter(',')
      ->check(CLI::IsMember({"layer", "step", "order", "kernel"}))
      ->allow_extra_args(false)
      ->type_name("KEY,KEY");
  command.add_option("--trace", o->trace, "write a Chrome trace, one track a thread: open it at https://ui.perfetto.dev")
      ->type_name("F.json");
  command.add_option("--flame", o->flame, "write a flame graph as one HTML file")->type_name("F.html");
  command
      .add_option("--clock", o->clock,
                  "time kernels on a CPU by the wall, or by the time that their thread was at work: on a machine that others use "
                  "too, and where every thread has tasks of its own")
      ->check(CLI::IsMember({"wall", "thread"}))
      ->capture_default_str()
      ->type_name("wall|thread");
  command.add_option("--dtype", o->dtype, "precision of a PROBLEM's computation")
      ->check(CLI::IsMember({"f32", "f64"}))
      ->capture_default_str()
      ->type_name("f32|f64");
  o->preset.add_to(command);
  o->bad_files.add_to(command);
  std::vector<ShortForm> forms = training_short_forms();
  forms.push_back({"--method", {"inner.method"}, "mixed|reverse"});
  forms.push_back({"--order", {"inner.order"}, "1|2"});
  o->common.add_to(command, forms);
  line.on_run(command, [o] { return run(*o); });
}

}  // namespace innerloop::tools
