#include "step_launches.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "kernels/cuda/host/options.h"
#include "meta/from_config.h"
#include "meta/meta_step.h"
#include "tensor/trace.h"

namespace innerloop::executed {
namespace {

using host_executor::LaunchCounts;

/// Black images, as many as a task needs of each class.
io::ImageSet blank_images(const io::Config& c) {
  io::ImageSet set;
  set.name = "blank";
  set.height = set.width = c.data.size;
  set.channels = c.data.channels;
  for (std::int64_t way = 0; way < c.task.ways; ++way) {
    set.classes.push_back(fmt::format("c{}", way));
    for (std::int64_t shot = 0; shot < c.task.shots; ++shot) {
      set.labels.push_back(static_cast<std::int32_t>(way));
      set.groups.push_back(set.count());
      set.files.push_back(fmt::format("c{}/{}.pgm", way, shot));
      set.group_names.push_back(set.files.back());
    }
  }
  set.pixels = Tensor::zeros({set.count(), set.height, set.width, set.channels}, DType::kU8);
  return set;
}

meta::TaskSourceOptions source_options(const io::Config& c) {
  meta::TaskSourceOptions o;
  o.scheme = meta::task_scheme(c.task.scheme);
  o.ways = c.task.ways, o.shots = c.task.shots, o.queries = c.task.queries;
  o.tasks = c.outer.tasks;
  o.augment = meta::augmentations(c);
  return o;
}

/// `later` without `before`.
LaunchCounts difference(const LaunchCounts& later, const LaunchCounts& before) {
  LaunchCounts more;
  for (const auto& [name, n] : later) {
    const auto known = before.find(name);
    const std::uint64_t since = known == before.end() ? n : n - known->second;
    if (since > 0) more[name] = since;
  }
  return more;
}

/// A run of meta-steps in which no kernel does anything.
class Program {
 public:
  Program(const io::Config& c, meta::Replay replay)
      : images_(blank_images(c)),  // on the host: a device takes its copy
        options_(skipping()),
        context_(1, Target::kCuda),
        scope_(context_),
        net_(meta::conv_net_options(c)),
        source_(images_, source_options(c)),
        step_(net_, source_, meta::optimizer_options(c), meta::meta_options(c), replay) {
    const std::vector<Tensor> params = net_.init(1);
    step_.set(params, meta::init_optimizer(meta::optimizer_options(c), params));
  }
  void run(std::int64_t steps) { step_.run(steps); }
  std::uint64_t recorded_nodes() const { return static_cast<std::uint64_t>(step_.recorded_nodes()); }
  /// Without the copy that brings the figures of a burst to the host.
  LaunchCounts launches_of_a_step() {
    host_executor::reset_launch_counts();
    run(1);
    const LaunchCounts one = host_executor::launch_counts();
    host_executor::reset_launch_counts();
    run(2);
    return difference(host_executor::launch_counts(), one);
  }

 private:
  static host_executor::Options skipping() {
    host_executor::Options o = host_executor::options();
    o.kernels = host_executor::KernelWork::kSkip;
    o.streams = host_executor::StreamOrder::kImmediate;  // a launch is counted where it is asked for
    return o;
  }
  io::ImageSet images_;
  host_executor::ScopedOptions options_;
  Context context_;
  ContextScope scope_;
  nn::ConvNet net_;
  meta::TaskSource source_;
  meta::MetaStep step_;
};

/// Charges launches to the trace ranges that are open when they happen.
class PlaceWatch {
 public:
  PlaceWatch() {
    open_.clear(), places_.clear();
    host_executor::reset_launch_counts();
    set_trace_hooks(&kHooks);
  }
  ~PlaceWatch() { set_trace_hooks(nullptr); }
  PlaceWatch(const PlaceWatch&) = delete;
  PlaceWatch& operator=(const PlaceWatch&) = delete;
  const std::map<LaunchPlace, std::uint64_t>& places() const { return places_; }

 private:
  /// What was launched since the last change of ranges belongs to those that were open; outside of all is no step.
  static void charge() {
    if (!open_.empty()) {
      const bool in_phase = open_.size() > 1 && is_phase(open_[1]);
      const std::string phase = in_phase ? open_[1] : "between them";
      const std::string op = open_.size() > (in_phase ? 2u : 1u) ? open_.back() : "(the phase itself)";
      for (const auto& [kernel, n] : host_executor::launch_counts()) places_[{phase, op, kernel}] += n;
    }
    host_executor::reset_launch_counts();
  }
  static bool is_phase(std::string_view range) {
    const auto& phases = step_phases();
    return std::find(phases.begin(), phases.end(), range) != phases.end();
  }
  static void begin(const char* name) noexcept { charge(), open_.emplace_back(name); }
  static void end() noexcept { charge(), open_.pop_back(); }

  static constexpr TraceHooks kHooks{&begin, &end};
  static inline std::vector<std::string> open_;
  static inline std::map<LaunchPlace, std::uint64_t> places_;
};

}  // namespace

std::vector<StepCase> step_cases() {
  std::vector<StepCase> cases;
  for (const std::string& name : io::preset_names()) {
    io::Config config = io::preset(name);
    if (config.data.size >= 500) config.outer.tasks = 2;
    cases.push_back({name, config});
    if (name == "omniglot") {
      config.inner.steps = 5;
      cases.push_back({"omniglot, K = 5", config});
    }
  }
  return cases;
}

const std::vector<std::string>& step_phases() {
  static const std::vector<std::string> phases{"draw tasks", "inner step", "query gradient", "hessian-vector product",
                                               "outer update"};
  return phases;
}

LaunchCounts step_launches(const io::Config& config) {
  Program program(config, meta::Replay::kOn);
  program.run(2);  // one launched kernel by kernel, one recorded and replayed
  const LaunchCounts counts = program.launches_of_a_step();
  IL_CHECK(total(counts) == program.recorded_nodes(), "launches of a meta-step: {} counted, {} recorded", total(counts),
           program.recorded_nodes());
  return counts;
}

std::map<LaunchPlace, std::uint64_t> step_launches_by_place(const io::Config& config) {
  Program program(config, meta::Replay::kOff);
  program.run(1);  // what happens only once
  const PlaceWatch watch;
  program.run(1);
  return watch.places();
}

std::uint64_t total(const LaunchCounts& counts) {
  std::uint64_t sum = 0;
  for (const auto& [name, n] : counts) sum += n;
  return sum;
}

}  // namespace innerloop::executed
