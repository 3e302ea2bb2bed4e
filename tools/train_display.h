// A training run on stderr: the progress line, and a line for each evaluation and message.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "io/progress.h"
#include "meta/trainer.h"

namespace innerloop::tools {

/// What the display calls things, and how far the run goes.
struct DisplayWords {
  std::int64_t total = 0, tasks_per_step = 0;  ///< 0 tasks leave the rate out
  std::string step = "step", checked = "held-out", unit = "episodes";
};

/// io::Progress is not thread-safe, and an evaluation reports from its working threads; this is.
class TrainDisplay {
 public:
  /// `first` is shown before all else, but not before the run has begun: an error should stand alone.
  TrainDisplay(DisplayWords words, std::string first);

  /// For one run; the display must outlive it.
  meta::TrainCallbacks callbacks();

 private:
  void step(const io::StepEntry& entry);
  void evaluated(const io::EvalEntry& entry);
  void episode(std::int64_t done, std::int64_t total);
  void message(const std::string& text);
  void show(const std::string& text);

  std::mutex mutex_;
  DisplayWords words_;
  std::string first_;
  io::ProgressOptions options_;
  std::optional<io::Progress> progress_;
  std::function<void(std::int64_t, std::int64_t)> counter_;
};

}  // namespace innerloop::tools
