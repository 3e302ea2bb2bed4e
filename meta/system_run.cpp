#include "meta/system_run.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <optional>

#include "io/atomic_file.h"
#include "io/report.h"
#include "meta/checkpoint.h"
#include "meta/run_folder.h"
#include "meta/run_lock.h"
#include "meta/run_report.h"
#include "meta/sitting.h"
#include "meta/system_checkpoint.h"
#include "meta/system_evaluation.h"

namespace innerloop::meta {
namespace {

/// Half of a 95 % interval of a share that was counted on n images.
double half_width(double share, std::int64_t n) {
  return 1.959964 * std::sqrt(share * (1 - share) / static_cast<double>(n));
}

class SystemTraining {
 public:
  explicit SystemTraining(const TrainOptions& options) : options_(options), config_(options.config), folder_(options.out) {
    io::validate(config_);
  }

  SystemRunResult go() {
    const auto begin = std::chrono::steady_clock::now();
    find_start();
    load_data();
    open_folder();
    const SystemFit fitted = fit_system(data_.split.train, config_, resumed_ ? &state_.state : nullptr, callbacks());
    state_.state = fitted.state;
    state_.ensemble = fitted.system.ensemble;
    if (fitted.end == FitEnd::kStopped) {
      save();
      say(fmt::format("stopped after iteration {}; saved to {}", state_.state.step(), folder_.checkpoint()));
    } else {
      finish(fitted);
    }
    result_.end = fitted.end;
    result_.outcome = fitted.end == FitEnd::kStopped ? TrainOutcome::kStopped : TrainOutcome::kFinished;
    result_.first_step = first_step_;
    result_.step = state_.state.step();
    result_.best_step =
        state_.state.fit.best.iteration > 0 ? state_.state.pretrained + state_.state.fit.best.iteration : 0;
    result_.validation_accuracy = fitted.validation_accuracy;
    result_.checkpoint = folder_.checkpoint();
    result_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return std::move(result_);
  }

 private:
  void say(const std::string& text) const {
    if (options_.callbacks.on_message) options_.callbacks.on_message(text);
  }

  /// A fresh state, or that of the folder's checkpoint. Comes before the data: a wrong command should fail at once.
  void find_start() {
    enter_folder(folder_, options_, lock_);
    if (options_.start == RunStart::kResume && std::filesystem::exists(folder_.checkpoint())) {
      if (!is_system_checkpoint(folder_.checkpoint())) {
        load_checkpoint(folder_.checkpoint());  // says what is wrong with a damaged file
        fail("{}: is the checkpoint of a meta-training run; leave --system out to go on with it", folder_.checkpoint());
      }
      state_ = load_system(folder_.checkpoint());
      check_same_run(state_.config, config_, folder_.checkpoint());
      resumed_ = true;
    }
    state_.config = config_;
    state_.config.run.threads = 0;  // no part of the result: the files are the same
    first_step_ = state_.state.step();
    IL_CHECK(state_.state.fit.iteration <= config_.supervised.iterations,
             "supervised.iterations: {} are asked for and the run in {} has done {}; ask for at least as many",
             config_.supervised.iterations, folder_.root, state_.state.fit.iteration);
    // Told before the data are read: the smallest side, a width that cannot be.
    nn::make_system(system_options(config_, 2));
  }

  void load_data() {
    data_ = load_sitting_data(options_, {state_.data_hash, state_.protocol}, split_groups);
    check_classes(data_.split.train);
    state_.classes = data_.set.classes;
    state_.data_hash = data_.record.hash;
    state_.protocol = data_.record.protocol;
    for (const std::string& text : data_.messages) say(text);
  }

  void open_folder() {
    log_.emplace(open_run(folder_, options_, resumed_ ? Sitting::kResumed : Sitting::kFirst, first_step_, lock_));
    if (resumed_) say(fmt::format("resumed after iteration {}", first_step_));
    const nn::Classifier network =
        nn::make_system(system_options(config_, static_cast<std::int64_t>(data_.set.classes.size())));
    say(fmt::format("{}: {} parameters at {}x{}x{}", network.name(), network.parameter_count(), network.height(),
                    network.width(), network.channels()));
  }

  std::int64_t step_of(Stage stage, std::int64_t iteration) {
    // The length of the pretraining is known once the training begins.
    if (stage == Stage::kPretraining) pretrained_ = iteration;
    return stage == Stage::kPretraining ? iteration : pretrained_ + iteration;
  }

  SystemCallbacks callbacks() {
    pretrained_ = state_.state.pretrained;
    SystemCallbacks c;
    c.stop = options_.stop;
    c.on_message = [this](const std::string& text) { say(text); };
    c.on_iteration = [this](Stage stage, const IterationFigures& f) {
      io::StepEntry entry;
      entry.step = step_of(stage, f.iteration);
      entry.loss = f.loss;
      entry.accuracy = f.accuracy;
      entry.grad_norm = f.gradient_norm;
      entry.rate = f.rate;
      entry.seconds = f.seconds;
      log_->write(entry);
      if (options_.callbacks.on_step) options_.callbacks.on_step(entry);
    };
    c.on_check = [this](Stage stage, const CheckFigures& f) {
      const io::EvalEntry entry{
          step_of(stage, f.iteration), f.accuracy, half_width(f.accuracy, f.images), f.loss, f.images, f.seconds};
      log_->write(entry);
      if (options_.callbacks.on_eval) options_.callbacks.on_eval(entry);
    };
    c.on_state = [this](const SystemState& state) {
      const std::int64_t every = config_.run.checkpoint_every;
      // The very start too: so that there is something to go on from, whatever ends the run before its next checkpoint.
      if (state.step() > 0 && (every == 0 || state.step() % every != 0)) return;
      state_.state = state;
      save();
    };
    return c;
  }

  void save() { save_system(folder_.checkpoint(), state_, Holds::kRun); }

  void finish(const SystemFit& fitted) {
    save();
    save_system(folder_.best(), state_, Holds::kSystem);
    result_.best = folder_.best();
    if (fitted.end == FitEnd::kPatience)
      say(fmt::format("early stop: {} checks without a better validation loss", config_.supervised.patience));
    if (data_.split.held_out.count() > 0) {
      result_.evaluation = evaluate_system(fitted.system, data_.split.held_out, state_.data_hash);
      result_.evaluated = true;
    }
    const SystemRunStory story{config_,
                               data_.set,
                               data_.split.description,
                               result_.evaluated ? &result_.evaluation : nullptr,
                               fitted.system,
                               state_.state.pretrained,
                               io::read_run_log(folder_.log())};
    io::write_file(folder_.report(), io::render_report(report_of_system_run(story)));
    result_.report = folder_.report();
  }

  const TrainOptions& options_;
  const io::Config config_;
  const RunFolder folder_;
  RunLock lock_;
  SystemCheckpoint state_;  ///< the run as it stands
  bool resumed_ = false;
  std::int64_t first_step_ = 0, pretrained_ = 0;
  SittingData data_;
  std::optional<io::RunLog> log_;
  SystemRunResult result_;
};

}  // namespace

SystemRunResult train_system(const TrainOptions& options) { return SystemTraining(options).go(); }

}  // namespace innerloop::meta
