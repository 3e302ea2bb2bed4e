// Checkpoints of comparison systems: one safetensors file, float32, without a task axis.
//
//   NAME, norm.LAYER.mean, norm.LAYER.variance       the weights
//   best.* likewise                                  those of the best check, when there was one
//   optimizer.m.NAME, optimizer.v.NAME               Adam's moments
//   ensemble u8 [bytes]                              EMCNet's classifiers, once they are fitted (meta/ensemble.h)
// Metadata: format = "innerloop", version, kind = "supervised", config (the resolved TOML), classes and class.N (their
// names), stage, pretrained, step, best_loss, best_accuracy, best_step, checks_without_gain, data_hash, protocol.KEY.
// Only finite values are ever written or read. The file is a function of the checkpoint alone.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "io/config.h"
#include "meta/system_fit.h"

namespace innerloop::meta {

struct SystemCheckpoint {
  io::Config config;
  std::vector<std::string> classes;
  SystemState state;
  std::shared_ptr<const Ensemble> ensemble;
  std::string data_hash;
  std::map<std::string, std::string> protocol;

  /// The system that answers: the weights of the best check, or the last ones. Throws Error for a checkpoint from the
  /// middle of CovXNet's pretraining, or from EMCNet before its classifiers were fitted.
  TrainedSystem system(const std::string& path) const;
};

/// Whether the file at `path` is a checkpoint of a comparison system: false for any other file, and for one that cannot
/// be read.
bool is_system_checkpoint(const std::string& path);

/// What the file holds beside the weights.
enum class Holds {
  kRun,     ///< everything that the run needs to go on
  kSystem,  ///< the best weights alone, as what eval and predict need
};

/// Atomic. Throws Error naming the tensor when a value is not finite.
void save_system(const std::string& path, const SystemCheckpoint& checkpoint, Holds holds);

/// Throws Error naming the file, the tensor or key, what was found and what is needed.
SystemCheckpoint load_system(const std::string& path);

}  // namespace innerloop::meta
