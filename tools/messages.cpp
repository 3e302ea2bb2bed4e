#include "tools/messages.h"

#include <fmt/core.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

namespace innerloop::tools {
double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

namespace {

/// The state of counting_progress(), which std::function copies share.
struct Counter {
  std::string what;
  io::ProgressStyle style = io::progress_style_of_stderr();
  double start = now();
  double last = start;
  bool shown = false;

  void update(std::int64_t done, std::int64_t total) {
    // A quick loop is not worth a line; a terminal is redrawn often, a file seldom.
    constexpr double kPatience = 0.5, kRedraw = 0.1, kLine = 10;
    const double t = now();
    const bool rewrite = style == io::ProgressStyle::kRewrite;
    const bool last_one = done == total;
    if (!shown && (t - start < (rewrite ? kPatience : kLine) || last_one)) return;
    if (!last_one && shown && t - last < (rewrite ? kRedraw : kLine)) return;
    shown = true;
    last = t;
    const double left = done > 0 ? (t - start) / static_cast<double>(done) * static_cast<double>(total - done) : -1;
    const std::string text = fmt::format("{} {}/{}  eta {}", what, done, total, io::format_duration(left));
    // "\033[K" clears what a longer line before this one has left behind.
    write_to_stderr(rewrite ? fmt::format("\r{}\033[K{}", text, last_one ? "\n" : "") : text + "\n");
  }
};

}  // namespace

void start_messages() {
  auto logger = spdlog::stderr_logger_st("innerloop");
  logger->set_pattern("%v");
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

void say(std::string_view text) { spdlog::info("innerloop: {}", text); }
void warn(std::string_view text) { spdlog::warn("innerloop: warning: {}", text); }

void print_json(const Json& object) { fmt::print("{}\n", object.dump(-1, ' ', false, Json::error_handler_t::replace)); }

std::function<void(std::int64_t, std::int64_t)> counting_progress(std::string what) {
  auto counter = std::make_shared<Counter>();
  counter->what = std::move(what);
  return [counter](std::int64_t done, std::int64_t total) { counter->update(done, total); };
}

void write_to_stderr(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

}  // namespace innerloop::tools
