// Runner: does a comparison part by part, keeps each result as it comes, and goes on where an earlier call ended.
//
// Run folder: plan.json (manifest.h), units/*.json (unit.h), units/*.failed (one line: why), meta/*.safetensors
// (meta_training.h), pictures/*.png. Every file is written whole or not at all, so a kill at any moment costs the part
// at hand alone (of a meta-training at most a minute). Determinism: the answers are a pure function of (data,
// configuration, scale, plan), stopped and resumed or not, at any number of threads. Seconds are the exception, and
// with --budget the scale, which is measured once and then kept in plan.json.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "meta/reproduce/contestants.h"
#include "meta/reproduce/manifest.h"
#include "meta/reproduce/work.h"

namespace innerloop::meta::reproduce {

struct RunProgress {
  std::int64_t done = 0, total = 0;  ///< parts
  double seconds_left = 0;           ///< estimated
  std::string part;                  ///< the one that is done, in words
};

/// What the caller may want to show; every member may be empty. Called from the thread that runs.
struct RunCallbacks {
  std::function<void(const RunProgress&)> on_part;
  std::function<void(const std::string& part, std::int64_t done, std::int64_t total)> on_meta_step;
  std::function<void(const std::string&)> on_message;
};

struct RunOptions {
  io::Config config;  ///< unscaled; run.seed is the plan's
  PlanOptions plan;
  std::vector<Contestant> systems;
  Sizes sizes;  ///< a system that sees another side than config.data.size; an entry of that side is as none
  std::function<io::ImageSet(std::int64_t side)> images_at;  ///< the same images again, for the sides of `sizes`
  double budget = 0;   ///< seconds of this call; 0: none. The first call's decides the scale
  std::string data;    ///< as the caller names the set
  std::string folder;  ///< the run folder, made when it is missing
  const std::atomic<bool>* stop = nullptr;
  RunCallbacks callbacks;
};

enum class RunEnd : std::uint8_t {
  kFinished,
  kStopped,  ///< by the stop flag
  kBudget,   ///< the time was up before the last part
};

struct RunResult {
  RunEnd end = RunEnd::kFinished;
  std::int64_t done = 0, reused = 0, failed = 0, left = 0;  ///< parts: of this call, of earlier ones, given up, to do
  std::int64_t units = 0;                                   ///< answers that are there now
  double scale = 1, seconds = 0;
};

/// `set` with its patients as groups. Throws UsageError: the folder holds another comparison (naming what differs) or a
/// training run, a budget that is too small for one unit. Throws Error: nothing can be compared (naming the first
/// reason), a folder that cannot be made or in which another process is at work. What fails in one part alone (a network
/// that diverges, images too small for a system) is given up by name, and the rest goes on.
RunResult run_comparison(const io::ImageSet& set, const RunOptions& options);

}  // namespace innerloop::meta::reproduce
