// Trainer: a whole meta-training run, from a data set to a run folder.
//
//   data -> hold out whole groups -> for each meta-step: draw tasks, meta-gradient, clip, optimizer, log
//        -> evaluate on the held-out part -> checkpoint, best checkpoint, report
// Determinism: a run is a pure function of (config, data); one that was stopped and resumed ends at the same bits as
// one that never stopped, at any number of threads. Wall times in the log are the exception.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "io/config.h"
#include "io/run_log.h"
#include "meta/evaluator.h"
#include "meta/meta_step.h"

namespace innerloop::meta {

enum class RunStart : std::uint8_t {
  kNew,     ///< the run folder must not hold a run yet
  kResume,  ///< goes on from the folder's checkpoint; a run without one starts anew
};

/// What the caller may want to show; every member may be empty. Called from the thread that trains.
struct TrainCallbacks {
  std::function<void(const io::StepEntry&)> on_step;
  std::function<void(const io::EvalEntry&)> on_eval;
  std::function<void(std::int64_t, std::int64_t)> on_load_progress;  ///< (images read, images), from any thread
  std::function<void(std::int64_t, std::int64_t)> on_eval_progress;  ///< (episodes done, episodes), from any thread
  std::function<void(const std::string&)> on_message;  ///< one line: what was loaded, held out, saved, left out
};

struct TrainOptions {
  io::Config config;  ///< validated by the trainer
  std::string data;   ///< as load_images takes it; on resume it may be empty: the run's own
  std::string out;    ///< the run folder, made when it is missing
  RunStart start = RunStart::kNew;
  io::BadFiles bad_files =
      io::BadFiles::kStop;  ///< kSkip: unreadable files are left out, named in the report, and again on resume
  Replay replay = Replay::kOn;  ///< on a device: whether steps are replays of one record; the bits are the same
  const std::atomic<bool>* stop = nullptr;  ///< when it turns true: save and return, within one meta-step or episode
  TrainCallbacks callbacks;
};

enum class TrainOutcome : std::uint8_t { kFinished, kStopped };

struct TrainResult {
  TrainOutcome outcome = TrainOutcome::kFinished;
  std::int64_t first_step = 0;                                  ///< meta-steps that were done when this call began
  std::int64_t step = 0;                                        ///< meta-steps done now
  double loss = io::kNotMeasured, accuracy = io::kNotMeasured;  ///< of the last meta-step
  bool evaluated = false;
  EvalResult evaluation;  ///< the last on the held-out part, when there was one
  double best_accuracy = io::kNotMeasured;
  std::int64_t best_step = 0;
  double seconds = 0, tasks_per_second = 0;
  std::string checkpoint, best, report;  ///< paths; `best` is empty when nothing was evaluated, or it is gone
};

/// Threads and the device are the current context's. Throws UsageError: the folder holds a run already (resume it or
/// name another), the config differs from the run's in what matters (naming the key). Throws Error: another process is at
/// work in the folder; the data cannot supply the tasks or, told before the first step, the evaluation; a loss, gradient
/// or parameter that is not finite (naming the step; the last good checkpoint is kept).
TrainResult train(const TrainOptions& options);

}  // namespace innerloop::meta
