// RunLog: log.jsonl, one JSON object a line, one line a meta-step or evaluation, each flushed as it is written.
//
// {"kind":"step","step":12,"loss":0.91,"accuracy":0.7,"inner_loss":0.2,"grad_norm":1.3,"rate":0.001,"seconds":0.8}
// {"kind":"eval","step":100,"accuracy":0.83,"half_width":0.006,"loss":0.5,"episodes":600,"seconds":12.1}
// A number that is not finite is written as null and reads back as NaN. A line that a crash cut short is ignored.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace innerloop::io {

inline constexpr double kNotMeasured = std::numeric_limits<double>::quiet_NaN();

/// One meta-step.
struct StepEntry {
  std::int64_t step = 0;             ///< 1 for the first meta-step
  double loss = kNotMeasured;        ///< mean query loss over the tasks, after adaptation
  double accuracy = kNotMeasured;    ///< share of query images right, in [0, 1]
  double inner_loss = kNotMeasured;  ///< mean support loss at the last inner step
  double grad_norm = kNotMeasured;   ///< Euclidean norm of the meta-gradient, before the clip
  double rate = kNotMeasured;        ///< outer step size in force
  double seconds = kNotMeasured;     ///< wall time of the step
};

/// One evaluation on held-out groups.
struct EvalEntry {
  std::int64_t step = 0;             ///< meta-steps done when it ran
  double accuracy = kNotMeasured;    ///< mean over episodes, in [0, 1]
  double half_width = kNotMeasured;  ///< of the 95 % interval of `accuracy`
  double loss = kNotMeasured;
  std::int64_t episodes = 0;
  double seconds = kNotMeasured;
};

/// A log read back, each list in the order of the file.
struct RunHistory {
  std::vector<StepEntry> steps;
  std::vector<EvalEntry> evals;
};

class RunLog {
 public:
  /// An empty log in place of whatever `path` held.
  static RunLog create(const std::filesystem::path& path);
  /// The log of a run that goes on after `step`: entries of later steps, and a half-written last line, are dropped, so
  /// that the file reads as one run. The checkpoint of `step` is to be saved after that step's evaluation. A missing
  /// file starts an empty log.
  static RunLog resume(const std::filesystem::path& path, std::int64_t step);

  /// Appends one line and flushes it. Throws Error when the disk refuses.
  void write(const StepEntry& entry);
  void write(const EvalEntry& entry);

 private:
  explicit RunLog(const std::filesystem::path& path);
  void append(const std::string& line);

  std::filesystem::path path_;
  std::ofstream file_;
};

/// Throws Error, naming the line, when a line other than an unterminated last one is not an entry.
RunHistory read_run_log(const std::filesystem::path& path);

}  // namespace innerloop::io
