// A run folder: config.toml, log.jsonl, checkpoint.safetensors, best.safetensors, report.html.
#pragma once

#include <string>

#include "io/config.h"

namespace innerloop::meta {

struct RunFolder {
  explicit RunFolder(std::string folder) : root(std::move(folder)) {}

  std::string root;
  std::string config() const { return root + "/config.toml"; }
  std::string log() const { return root + "/log.jsonl"; }
  std::string checkpoint() const { return root + "/checkpoint.safetensors"; }
  std::string best() const { return root + "/best.safetensors"; }
  std::string report() const { return root + "/report.html"; }

  /// True when any of the files is there.
  bool holds_a_run() const;
  /// Throws UsageError when it holds a run already.
  void refuse_a_second_run() const;
  /// Makes the folder where there is none. Throws Error when it cannot be made.
  void make() const;
};

/// Throws UsageError naming the first key whose value in `asked` differs from the run's in `saved`, where going on
/// under the new value would not be the same run. Free to change: run.threads, run.device, run.checkpoint_every,
/// data.cache, outer.iterations (a longer run) unless the schedule depends on it, supervised.iterations, and the sections that the
/// run's kind does not read.
void check_same_run(const io::Config& saved, const io::Config& asked, const std::string& where);

}  // namespace innerloop::meta
