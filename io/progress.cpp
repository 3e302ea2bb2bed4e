#include "io/progress.h"

#include <fmt/core.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <utility>

namespace innerloop::io {
namespace {

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// 912, 38.1, 0.25: three digits that matter, without an exponent for the rates that occur.
std::string format_rate(double rate) {
  const int decimals = rate >= 99.95 ? 0 : rate >= 9.995 ? 1 : 2;
  return fmt::format("{:.{}f}", rate, decimals);
}

}  // namespace

std::string format_duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "?";
  if (seconds < 9.95) return fmt::format("{:.1f}s", seconds);
  if (seconds > 8.64e9) return "?";  // a century: the estimate is worthless, and an integer may not hold it
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  constexpr std::int64_t kMinute = 60, kHour = 60 * kMinute, kDay = 24 * kHour;
  if (whole < kMinute) return fmt::format("{}s", whole);
  if (whole < kHour) return fmt::format("{}m{:02}s", whole / kMinute, whole % kMinute);
  if (whole < kDay) return fmt::format("{}h{:02}m", whole / kHour, whole % kHour / kMinute);
  return fmt::format("{}d{:02}h", whole / kDay, whole % kDay / kHour);
}

ProgressStyle progress_style_of_stderr() {
  const char* term = std::getenv("TERM");
  const bool moves = term != nullptr && *term != '\0' && std::string_view(term) != "dumb";
  return moves && isatty(STDERR_FILENO) == 1 ? ProgressStyle::kRewrite : ProgressStyle::kLines;
}

Progress::Progress(const ProgressOptions& options, Write write, Clock clock)
    : options_(options),
      write_(std::move(write)),
      clock_(clock ? std::move(clock) : steady_seconds),
      start_(clock_()) {}

Progress::~Progress() {
  if (width_ == 0) return;
  try {
    write_("\n");
  } catch (...) {  // a destructor has nobody to tell
  }
}

std::string Progress::line(std::int64_t step, double loss, double accuracy, double now) const {
  std::string text = fmt::format("step {}/{}", step, options_.total);
  if (std::isfinite(loss)) text += fmt::format("  loss {:.3f}", loss);
  if (std::isfinite(accuracy)) text += fmt::format("  acc {:.3f}", accuracy);
  const auto steps = static_cast<double>(step - options_.done);
  const double elapsed = now - start_;
  if (steps <= 0 || elapsed <= 0) return text;
  if (options_.tasks_per_step > 0) {
    text += fmt::format("  {} tasks/s", format_rate(steps * static_cast<double>(options_.tasks_per_step) / elapsed));
  }
  const double eta = static_cast<double>(options_.total - step) * elapsed / steps;
  if (step >= options_.total) return text + fmt::format("  in {}", format_duration(elapsed));
  return text + fmt::format("  eta {}", format_duration(eta));
}

void Progress::clear() {
  if (width_ == 0) return;
  write_(fmt::format("\r{:{}}\r", "", width_));
  width_ = 0;
}

void Progress::draw(const std::string& text) {
  if (options_.style == ProgressStyle::kLines) {
    write_(fmt::format("{}\n", text));
    return;
  }
  // Blanks cover what a longer line before this one left standing.
  write_(fmt::format("\r{:{}}", text, width_));
  width_ = text.size();
}

void Progress::update(std::int64_t step, double loss, double accuracy) {
  const double now = clock_();
  const double pause = options_.style == ProgressStyle::kRewrite ? options_.rewrite_seconds : options_.line_seconds;
  if (drawn_ && step < options_.total && now - last_drawn_ < pause) return;
  draw(line(step, loss, accuracy, now));
  drawn_ = true;
  last_drawn_ = now;
}

void Progress::message(std::string_view text) {
  clear();
  write_(fmt::format("{}\n", text));
}

}  // namespace innerloop::io
