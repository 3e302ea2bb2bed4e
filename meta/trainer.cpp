#include "meta/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>

#include "io/atomic_file.h"
#include "meta/checkpoint.h"
#include "meta/class_index.h"
#include "meta/clock.h"
#include "meta/episode_sheet.h"
#include "meta/finite.h"
#include "meta/from_config.h"
#include "meta/head.h"
#include "meta/meta_step.h"
#include "meta/run_folder.h"
#include "meta/run_lock.h"
#include "meta/run_report.h"
#include "meta/sitting.h"
#include "meta/task_source.h"

namespace innerloop::meta {
namespace {

bool is_due(std::int64_t every, std::int64_t step, std::int64_t last) {
  return step == last || (every > 0 && step > 0 && step % every == 0);
}

/// Steps from `step` to the next at which is_due() holds.
std::int64_t steps_to_due(std::int64_t every, std::int64_t step, std::int64_t last) {
  return std::min(last, every > 0 ? (step / every + 1) * every : last) - step;
}

/// One call of train(): the state of the run, and what happens to it in order.
class TrainingRun {
 public:
  explicit TrainingRun(const TrainOptions& options)
      : options_(options), config_(options.config), folder_(options.out), begin_(Clock::now()) {}

  TrainResult go() {
    io::validate(config_);
    IL_CHECK(!options_.out.empty(), "train: no run folder was given; name one with --out");
    find_start();
    load_data();
    open_folder();
    const bool finished = train_steps();
    return finish(finished ? TrainOutcome::kFinished : TrainOutcome::kStopped);
  }

 private:
  void say(const std::string& text) const {
    if (options_.callbacks.on_message) options_.callbacks.on_message(text);
  }
  bool stop_asked() const { return options_.stop != nullptr && options_.stop->load(std::memory_order_relaxed); }
  bool evaluates() const { return data_.split.held_out.count() > 0; }
  bool evaluation_due(std::int64_t step) const {
    return evaluates() && is_due(config_.eval.every, step, config_.outer.iterations);
  }

  /// A fresh state, or that of the folder's checkpoint. Comes before the data: a wrong command should fail at once.
  void find_start() {
    enter_folder(folder_, options_, lock_);
    if (options_.start == RunStart::kResume && std::filesystem::exists(folder_.checkpoint())) {
      state_ = load_checkpoint(folder_.checkpoint());
      check_same_run(state_.config, config_, folder_.checkpoint());
      resumed_ = true;
    }
    state_.config = config_;
    // How many threads did the work, and how, is no part of the result: the files are the same.
    state_.config.run.threads = 0;
    state_.config.run.records = io::StepRecords::kAuto;
    net_.emplace(conv_net_options(config_));
    optimizer_ = optimizer_options(config_);
    if (!resumed_) {
      state_.params.clear();
      for (const Tensor& t : net_->init(static_cast<std::uint64_t>(config_.run.seed))) state_.params.push_back(t.to_host());
    }
    if (state_.optimizer.m.empty()) {
      state_.optimizer = init_optimizer(optimizer_, state_.params);
    }
    state_.optimizer.step = state_.step;  // one clock draws the tasks and drives the schedule
    first_step_ = state_.step;
    IL_CHECK(state_.step <= config_.outer.iterations,
             "outer.iterations: {} meta-steps are asked for and the run in {} has done {}; ask for at least as many",
             config_.outer.iterations, folder_.root, state_.step);
  }

  /// Everything that can be wrong with the data is found here, before the first step and before the folder is made.
  void load_data() {
    data_ = load_sitting_data(options_, {state_.data_hash, state_.protocol}, split_data);
    source_.emplace(data_.split.train, task_source_options(config_));
    program_.emplace(*net_, *source_, optimizer_, meta_options(config_), replay());
    program_->set(state_.params, state_.optimizer);
    evaluation_ = eval_options(config_);
    evaluation_.data_hash = data_.record.hash;
    evaluation_.stop = options_.stop;
    evaluation_.progress = options_.callbacks.on_eval_progress;
    if (evaluates()) check_held_out();

    state_.data_hash = data_.record.hash;
    state_.protocol = data_.record.protocol;
    for (const std::string& text : data_.messages) say(text);
  }

  /// Watching every op for a NaN needs the host between them.
  Replay replay() const {
    return Context::current().finite_check() == FiniteCheck::kOn ? Replay::kOff : options_.replay;
  }

  void check_held_out() const {
    IL_CHECK(!is_unlabelled(data_.set),
             "data.holdout: {} has no class folders, so no answer on held-out images can be right or wrong; add "
             "--set data.holdout=0 to train on all of them",
             describe(data_.set));
    try {
      const Network network = network_for(*net_, state_.params, evaluation_.episode.ways);
      check_evaluation(network.net, data_.split.held_out, evaluation_);
    } catch (const Error& e) {
      fail("{} (this is the part held out by data.holdout = {}; a larger share also gives it more)", e.what(),
           config_.data.holdout);
    }
  }

  void open_folder() {
    log_.emplace(open_run(folder_, options_, resumed_ ? Sitting::kResumed : Sitting::kFirst, state_.step, lock_));
    if (!resumed_) {
      save();  // so that there is something to go on from, whatever ends the run before its next checkpoint
      return;
    }
    say(fmt::format("resumed after meta-step {}", state_.step));
    // A stop in the middle of an evaluation leaves a checkpoint whose evaluation is still owed.
    evaluation_owed_ = state_.step > 0 && evaluation_due(state_.step);
    for (const io::EvalEntry& e : io::read_run_log(folder_.log()).evals) evaluation_owed_ &= e.step != state_.step;
  }

  /// False when it was stopped. The checkpoint is saved either way.
  bool train_steps() {
    if (evaluation_owed_ && !run_evaluation()) return save_stopped();
    if (evaluation_owed_) save();
    while (state_.step < config_.outer.iterations) {
      if (stop_asked()) return save_stopped();
      meta_steps();
      if (evaluation_due(state_.step) && !run_evaluation()) return save_stopped();
      if (is_due(config_.run.checkpoint_every, state_.step, config_.outer.iterations)) save();
    }
    return true;
  }

  /// A burst of steps up to the next one after which there is something else to do. On a device a burst has no waiting in it,
  /// so it is as long as a person may wait for its figures, or for a stop; a CPU gains nothing from more than one step.
  void meta_steps() {
    constexpr double kPatience = 0.3;
    const auto begin = Clock::now();
    std::int64_t count = std::min(burst_, steps_to_due(config_.run.checkpoint_every, state_.step, config_.outer.iterations));
    if (evaluates()) count = std::min(count, steps_to_due(config_.eval.every, state_.step, config_.outer.iterations));
    const std::vector<StepFigures> figures = program_->run(count);
    const double seconds = seconds_since(begin) / static_cast<double>(count);
    for (const StepFigures& f : figures) note_step(f, seconds);
    if (!told_plan_ && program_->recorded_nodes() > 0) {
      told_plan_ = true;
      say(fmt::format("a meta-step is one graph of {} kernels and copies; it needs {:.1f} MiB of the device",
                      program_->recorded_nodes(), static_cast<double>(program_->peak_bytes()) / (1 << 20)));
    }
    if (Context::current().device() != nullptr && count == burst_ && seconds * static_cast<double>(2 * count) < kPatience)
      burst_ = std::min(2 * burst_, MetaStep::kMaxBurst);
  }

  void note_step(const StepFigures& f, double seconds) {
    const std::int64_t step = state_.step + 1;
    check_finite("loss", f.finite_loss, step);
    check_finite("meta-gradient", f.finite_gradient, step);
    check_finite("parameters", f.finite_parameters, step);
    state_.step = step;
    fetched_ = false;
    last_ = {step,           f.query_loss, f.query_accuracy, f.inner_loss, f.gradient_norm, rate_at(optimizer_, step),
             seconds};
    step_seconds_ += last_.seconds;
    log_->write(last_);
    if (options_.callbacks.on_step) options_.callbacks.on_step(last_);
  }

  /// Brings the parameters of the last step from where the steps run.
  void fetch() {
    if (fetched_) return;
    state_.params = program_->params();
    state_.optimizer = program_->state();
    fetched_ = true;
  }

  void check_finite(const char* what, bool finite, std::int64_t step) const {
    if (finite) return;
    const bool learned = std::max(first_step_, saved_step_) > 0;
    fail(
        "train: the {} of meta-step {} not finite: the run has diverged; lower inner.rate or outer.rate, or set "
        "outer.clip "
        "({})",
        std::string_view(what) == "parameters" ? "parameters after the update" : what,
        fmt::format("{} {}", step, std::string_view(what) == "parameters" ? "are" : "is"),
        learned ? "the last good checkpoint is " + folder_.checkpoint()
                : "no meta-step had been saved yet: begin again in another folder");
  }

  /// At eval.ways, which may differ from the ways of training: the head then starts from zero.
  EvalResult evaluate_held_out() {
    fetch();
    const Network network = network_for(*net_, state_.params, evaluation_.episode.ways);
    return evaluate(network.net, network.params, data_.split.held_out, evaluation_);
  }

  /// False when it was stopped before its last episode; nothing is logged then.
  bool run_evaluation() {
    EvalResult result;
    try {
      result = evaluate_held_out();
    } catch (const Error& e) {
      fail("train: evaluation after meta-step {}: {}", state_.step, e.what());
    }
    if (result.outcome == EvalOutcome::kStopped) return false;
    const io::EvalEntry entry{state_.step,       result.accuracy.mean, result.accuracy.half_width,
                              result.query_loss, result.accuracy.n,    result.seconds};
    log_->write(entry);
    last_evaluation_ = std::move(result);
    if (entry.accuracy > state_.best.accuracy) {
      state_.best = {entry.accuracy, state_.step};
      save_checkpoint(folder_.best(), state_);
    }
    if (options_.callbacks.on_eval) options_.callbacks.on_eval(entry);
    return true;
  }

  void save() {
    fetch();
    save_checkpoint(folder_.checkpoint(), state_);
    saved_step_ = state_.step;
  }

  bool save_stopped() {
    if (saved_step_ != state_.step) save();
    say(fmt::format("stopped after meta-step {}; saved to {}", state_.step, folder_.checkpoint()));
    return false;
  }

  void write_report(TrainOutcome outcome) {
    const bool nothing_new =
        state_.step == first_step_ && !last_evaluation_ && std::filesystem::exists(folder_.report());
    if (nothing_new) return;
    // A finished run that is resumed has no evaluation in memory, though its report shows one.
    if (outcome == TrainOutcome::kFinished && evaluates() && !last_evaluation_) {
      EvalResult again = evaluate_held_out();
      if (again.outcome == EvalOutcome::kDone) last_evaluation_ = std::move(again);
    }
    SheetOptions sheet;
    sheet.ways = config_.task.ways;
    const RunStory story{config_,
                         data_.set,
                         data_.split.description,
                         last_evaluation_ ? &*last_evaluation_ : nullptr,
                         state_.best,
                         io::read_run_log(folder_.log()),
                         episode_sheet(source_->draw(0, std::min<std::int64_t>(config_.outer.tasks, 3)), sheet)};
    io::write_file(folder_.report(), io::render_report(report_of_run(story)));
  }

  TrainResult finish(TrainOutcome outcome) {
    write_report(outcome);
    TrainResult r;
    r.outcome = outcome;
    r.first_step = first_step_;
    r.step = state_.step;
    r.loss = last_.loss;
    r.accuracy = last_.accuracy;
    r.evaluated = last_evaluation_.has_value();
    if (last_evaluation_) r.evaluation = std::move(*last_evaluation_);
    const bool has_best = std::isfinite(state_.best.accuracy);
    if (has_best) r.best_accuracy = state_.best.accuracy;
    r.best_step = state_.best.step;
    r.seconds = seconds_since(begin_);
    if (step_seconds_ > 0)
      r.tasks_per_second = static_cast<double>((state_.step - first_step_) * config_.outer.tasks) / step_seconds_;
    r.checkpoint = folder_.checkpoint();
    if (has_best && std::filesystem::exists(folder_.best())) r.best = folder_.best();
    r.report = folder_.report();
    return r;
  }

  const TrainOptions& options_;
  const io::Config config_;
  const RunFolder folder_;
  const Clock::time_point begin_;
  RunLock lock_;
  Checkpoint state_;  ///< the run as it stands, ready to be saved at any time
  bool resumed_ = false, evaluation_owed_ = false;
  std::int64_t first_step_ = 0, saved_step_ = -1;
  std::optional<nn::ConvNet> net_;
  OptimizerOptions optimizer_;
  SittingData data_;
  std::optional<TaskSource> source_;
  std::optional<MetaStep> program_;
  std::int64_t burst_ = 1;
  bool told_plan_ = false;
  bool fetched_ = true;  ///< state_ holds the parameters of its step
  EvalOptions evaluation_;
  std::optional<EvalResult> last_evaluation_;
  std::optional<io::RunLog> log_;
  io::StepEntry last_;
  double step_seconds_ = 0;
};

}  // namespace

TrainResult train(const TrainOptions& options) { return TrainingRun(options).go(); }

}  // namespace innerloop::meta
