// Progress: how far a run is, on one rewriting line of a terminal or as plain lines at a steady cadence elsewhere.
//
//   step 120/2000  loss 0.912  acc 0.713  38.1 tasks/s  eta 3m12s
// It writes through a function of the caller's (the command line gives it stderr), and reads time through another, so
// that it can be tested. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace innerloop::io {

/// "0.4s", "42s", "3m12s", "1h05m", "2d03h"; "?" when `seconds` is negative or not finite.
std::string format_duration(double seconds);

enum class ProgressStyle {
  kRewrite,  ///< a terminal: one line, drawn again in place
  kLines,    ///< a file or a pipe: whole lines, seldom
};

/// kRewrite when stderr is a terminal that moves its cursor (TERM is set and is not "dumb").
ProgressStyle progress_style_of_stderr();

struct ProgressOptions {
  std::int64_t total = 0;           ///< steps of the whole run
  std::int64_t done = 0;            ///< steps done before this process started (a resumed run)
  std::int64_t tasks_per_step = 0;  ///< 0 leaves the rate out
  ProgressStyle style = ProgressStyle::kLines;
  double rewrite_seconds = 0.1;  ///< shortest time between two drawings of the line
  double line_seconds = 10;      ///< shortest time between two plain lines
};

class Progress {
 public:
  using Write = std::function<void(std::string_view)>;
  using Clock = std::function<double()>;  ///< seconds, never falling

  /// Without a clock it takes the steady clock of the system.
  Progress(const ProgressOptions& options, Write write, Clock clock = {});
  /// Leaves the cursor on a fresh line.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Step `step` (counted from 1) is done. Draws when it is time; the first and the last step always draw. A number
  /// that is not finite is left out of the line.
  void update(std::int64_t step, double loss, double accuracy);
  /// A line of its own, above the progress line.
  void message(std::string_view text);

 private:
  std::string line(std::int64_t step, double loss, double accuracy, double now) const;
  void draw(const std::string& text);
  void clear();

  ProgressOptions options_;
  Write write_;
  Clock clock_;
  double start_;
  double last_drawn_ = 0;
  std::size_t width_ = 0;  ///< of the line that stands on the terminal
  bool drawn_ = false;
};

}  // namespace innerloop::io
