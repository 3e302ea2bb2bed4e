#include "meta/reproduce/meta_training.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "meta/checkpoint.h"
#include "meta/clock.h"
#include "meta/from_config.h"
#include "meta/meta_step.h"
#include "meta/task_source.h"
#include "tensor/error.h"

namespace innerloop::meta::reproduce {
namespace {

using Json = nlohmann::ordered_json;
constexpr const char* kSeconds = "seconds";
constexpr const char* kCurve = "curve";
/// A stop is answered, and a crash costs, at most so much.
constexpr double kSaveEvery = 60;

const std::string& entry(const Checkpoint& saved, const char* key, const std::string& path) {
  const auto found = saved.protocol.find(key);
  IL_CHECK(found != saved.protocol.end(),
           "{}: holds no '{}'; it is no meta-training of a comparison; delete it and run again", path, key);
  return found->second;
}

double seconds_of(const Checkpoint& saved, const std::string& path) {
  const Json value = Json::parse(entry(saved, kSeconds, path), nullptr, false);
  IL_CHECK(value.is_number(), "{}: '{}' is no number; delete the file and run again", path, kSeconds);
  return value;
}

std::vector<CurvePoint> curve_of(const Checkpoint& saved, const std::string& path) {
  std::vector<CurvePoint> out;
  try {
    for (const Json& point : Json::parse(entry(saved, kCurve, path)))
      out.push_back({point.at(0).get<std::int64_t>(), point.at(1).get<double>(), point.at(2).get<double>()});
  } catch (const Json::exception&) {
    fail("{}: '{}' is no training curve; delete the file and run again", path, kCurve);
  }
  return out;
}

/// Sums of a stretch of meta-steps.
struct Stretch {
  double loss = 0, accuracy = 0;
  std::int64_t steps = 0;
};

/// A file that cannot be read costs its training alone, so the reader is told how to get rid of it.
Checkpoint load_meta_checkpoint(const std::string& path) {
  try {
    return load_checkpoint(path);
  } catch (const Error& e) {
    fail("{}; delete the file and run again", e.what());
  }
}

class Session {
 public:
  Session(const io::ImageSet& images, const io::Config& config, const std::string& path)
      : config_(config), path_(path), net_(conv_net_options(config)), source_(images, source_options(config)) {
    state_.config = config;
    state_.config.run.threads = 0;
    state_.config.run.records = io::StepRecords::kAuto;
    state_.data_hash = path.empty() ? "" : images.hash();
  }

  MetaTraining run(const MetaTrainingCallbacks& callbacks) {
    if (!path_.empty() && std::filesystem::exists(path_)) {
      resume();
    } else {
      for (const Tensor& t : net_.init(static_cast<std::uint64_t>(config_.run.seed)))
        state_.params.push_back(t.to_host());
    }
    if (state_.step < config_.outer.iterations) train(callbacks);
    return {state_.params, state_.step, seconds_, std::move(curve_)};
  }

 private:
  static TaskSourceOptions source_options(const io::Config& c) {
    return {task_scheme(c.task.scheme),
            c.task.ways,
            c.task.shots,
            c.task.queries,
            c.outer.tasks,
            augmentations(c),
            static_cast<std::uint64_t>(c.run.seed)};
  }

  void resume() {
    Checkpoint saved = load_meta_checkpoint(path_);
    IL_CHECK(saved.config == state_.config && saved.data_hash == state_.data_hash,
             "{}: was meta-trained with other settings or images; delete the file and run again", path_);
    seconds_ = seconds_of(saved, path_);
    curve_ = curve_of(saved, path_);
    state_ = std::move(saved);
  }

  void train(const MetaTrainingCallbacks& callbacks) {
    const OptimizerOptions optimizer = optimizer_options(config_);
    if (state_.optimizer.m.empty()) state_.optimizer = init_optimizer(optimizer, state_.params);
    state_.optimizer.step = state_.step;
    MetaStep program(net_, source_, optimizer, meta_options(config_));
    program.set(state_.params, state_.optimizer);
    const auto fetch = [&] {
      state_.params = program.params();
      state_.optimizer = program.state();
    };
    double unsaved = 0;
    while (state_.step < config_.outer.iterations) {
      if (callbacks.stop != nullptr && callbacks.stop->load(std::memory_order_relaxed)) break;
      const auto begin = Clock::now();
      for (const StepFigures& f : program.run(1)) note(f);
      const double seconds = seconds_since(begin);
      seconds_ += seconds;
      unsaved += seconds;
      if (callbacks.on_step) callbacks.on_step(state_.step, config_.outer.iterations);
      if (unsaved < kSaveEvery) continue;
      fetch();
      save();
      unsaved = 0;
    }
    fetch();
    save();
  }

  void note(const StepFigures& f) {
    IL_CHECK(
        f.finite_loss && f.finite_gradient && f.finite_parameters,
        "reproduce: meta-step {} is not finite: meta-training has diverged; lower inner.rate or outer.rate, or set "
        "outer.clip",
        state_.step + 1);
    ++state_.step;
    stretch_.loss += f.query_loss;
    stretch_.accuracy += f.query_accuracy;
    ++stretch_.steps;
    const std::int64_t each = std::max<std::int64_t>(1, (config_.outer.iterations + kCurvePoints - 1) / kCurvePoints);
    if (state_.step % each != 0 && state_.step != config_.outer.iterations) return;
    const auto n = static_cast<double>(stretch_.steps);
    curve_.push_back({state_.step, stretch_.loss / n, stretch_.accuracy / n});
    stretch_ = {};
  }

  /// A stretch that was begun and not ended is lost with a stop: its point, after resuming, is the mean of its rest.
  void save() {
    if (path_.empty()) return;
    Json curve = Json::array();
    for (const CurvePoint& p : curve_) curve.push_back({p.iteration, p.loss, p.accuracy});
    state_.protocol[kCurve] = curve.dump();
    state_.protocol[kSeconds] = fmt::format("{}", seconds_);
    save_checkpoint(path_, state_);
  }

  const io::Config& config_;
  const std::string& path_;
  nn::ConvNet net_;
  TaskSource source_;
  Checkpoint state_;
  double seconds_ = 0;
  std::vector<CurvePoint> curve_;
  Stretch stretch_;
};

}  // namespace

MetaTraining meta_train(const io::ImageSet& images, const io::Config& config, const std::string& path,
                        const MetaTrainingCallbacks& callbacks) {
  return Session(images, config, path).run(callbacks);
}

MetaTraining read_meta_training(const std::string& path) {
  Checkpoint saved = load_meta_checkpoint(path);
  return {std::move(saved.params), saved.step, seconds_of(saved, path), curve_of(saved, path)};
}

}  // namespace innerloop::meta::reproduce
