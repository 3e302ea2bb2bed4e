#include "tools/train_display.h"

#include <fmt/core.h>

#include <utility>

#include "io/report.h"
#include "tools/messages.h"

namespace innerloop::tools {

TrainDisplay::TrainDisplay(DisplayWords words, std::string first) : words_(std::move(words)), first_(std::move(first)) {
  options_.total = words_.total;
  options_.tasks_per_step = words_.tasks_per_step;
  options_.style = io::progress_style_of_stderr();
}

meta::TrainCallbacks TrainDisplay::callbacks() {
  return {.on_step = [this](const io::StepEntry& e) { step(e); },
          .on_eval = [this](const io::EvalEntry& e) { evaluated(e); },
          .on_load_progress = counting_progress("reading images"),
          .on_eval_progress = [this](std::int64_t done, std::int64_t total) { episode(done, total); },
          .on_message = [this](const std::string& text) { message(text); }};
}

void TrainDisplay::step(const io::StepEntry& entry) {
  const std::lock_guard lock(mutex_);
  if (!progress_.has_value()) {
    // The rate counts from the start of this step: what came before it was reading and, on resume, other steps.
    options_.done = entry.step - 1;
    progress_.emplace(options_, write_to_stderr,
                      [lead = entry.seconds]() mutable { return now() - std::exchange(lead, 0); });
  }
  progress_->update(entry.step, entry.loss, entry.accuracy);
}

void TrainDisplay::evaluated(const io::EvalEntry& entry) {
  const std::lock_guard lock(mutex_);
  counter_ = nullptr;
  show(fmt::format("{} accuracy {} after {} {} ({} {}, {})", words_.checked,
                   io::percent_with_interval(entry.accuracy, entry.half_width), words_.step, entry.step, entry.episodes,
                   words_.unit, io::format_duration(entry.seconds)));
}

void TrainDisplay::episode(std::int64_t done, std::int64_t total) {
  const std::lock_guard lock(mutex_);
  if (!counter_) counter_ = counting_progress("evaluation episode");
  counter_(done, total);
}

void TrainDisplay::message(const std::string& text) {
  const std::lock_guard lock(mutex_);
  show(text);
}

void TrainDisplay::show(const std::string& text) {
  if (!first_.empty()) say(std::exchange(first_, {}));
  if (progress_.has_value()) {
    progress_->message("innerloop: " + text);
  } else {
    say(text);
  }
}

}  // namespace innerloop::tools
