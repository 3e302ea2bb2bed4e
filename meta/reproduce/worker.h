// Worker: does one part of a comparison, a meta-training or a unit.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>

#include "io/config.h"
#include "io/dataset.h"
#include "meta/reproduce/contestants.h"
#include "meta/reproduce/meta_training.h"
#include "meta/reproduce/plan.h"
#include "meta/reproduce/pretraining.h"
#include "meta/reproduce/sized_images.h"
#include "meta/reproduce/unit.h"

namespace innerloop::meta::reproduce {

/// What a meta-training is for, and where it lies in the run folder.
struct MetaKey {
  std::int64_t ways = 0, fold = 0;
  io::Scheme scheme = io::Scheme::kGroups;
  std::int64_t shots = 0;  ///< of its tasks
};
/// "meta/w3_f01_groups_k10.safetensors"
std::string file_of(const MetaKey& key);

struct WorkerOptions {
  io::Config config;   ///< scaled already
  std::string plan;    ///< the hash that units are marked with
  std::string folder;  ///< the run folder; empty: nothing is read or written (a calibration)
  const std::atomic<bool>* stop = nullptr;
  std::function<void(std::int64_t, std::int64_t)> on_meta_step;  ///< (done, all)
};

class Worker {
 public:
  /// `images` must outlive it and have those of every contestant that it is asked for.
  Worker(const SizedImages& images, WorkerOptions options);

  /// The meta-training of a problem with tasks of `shots` (by default config.task.shots); short of its steps when
  /// stopped.
  MetaTraining meta_training(const Contestant& contestant, const Problem& problem, std::int64_t shots);
  std::int64_t meta_shots() const { return options_.config.task.shots; }

  /// The unit of `contestant` with `shots` labelled images a class; kAllShots for Labels::kAll. None when stopped.
  std::optional<UnitResult> unit(const Contestant& contestant, const Problem& problem, std::int64_t shots);

 private:
  /// The configuration of `contestant` on `problem`, for images of its side.
  io::Config config_of(const Contestant& contestant, const Problem& problem) const;
  bool stopped() const { return options_.stop != nullptr && options_.stop->load(std::memory_order_relaxed); }
  std::optional<std::vector<Tensor>> start_params(const Contestant& contestant, const Problem& problem,
                                                  UnitResult& unit);
  const Pretraining* pretraining(const Contestant& contestant, const Problem& problem, const io::Config& config);

  const SizedImages& images_;
  WorkerOptions options_;
  struct Remembered {
    std::int64_t ways = -1, fold = -1;
    Pretraining pretraining;
  };
  Remembered pretrained_;  ///< the last: its shots come one after the other
};

}  // namespace innerloop::meta::reproduce
