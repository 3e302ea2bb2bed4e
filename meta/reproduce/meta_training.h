// Meta-training for a comparison: the network of umlf, trained on the unlabelled images of a fold's training part.
//
// Unlike meta/trainer.h it evaluates nothing on the way and writes no report: one file, which holds the parameters, the
// moments (so that a run that was stopped goes on), the training curve and the seconds.
// Determinism: the parameters are a pure function of (images, config), stopped and resumed or not, at any number of
// threads.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "io/config.h"
#include "io/dataset.h"
#include "meta/reproduce/unit.h"

namespace innerloop::meta::reproduce {

struct MetaTraining {
  std::vector<Tensor> params;  ///< [1, ...] on the host
  std::int64_t steps = 0;      ///< meta-steps done; config.outer.iterations when it was not stopped
  double seconds = 0;          ///< of all meta-steps, also those of an earlier call
  std::vector<CurvePoint>
      curve;  ///< query loss and accuracy, at most kCurvePoints means over stretches of equal length
};

inline constexpr std::int64_t kCurvePoints = 40;

struct MetaTrainingCallbacks {
  const std::atomic<bool>* stop = nullptr;                  ///< when it turns true: save and return
  std::function<void(std::int64_t, std::int64_t)> on_step;  ///< (done, all)
};

/// By config.task, config.inner, config.outer and config.augment, from `path` where a training of the same config and
/// data stands there, else from the beginning. With an empty `path` nothing is read or saved. Throws Error as
/// TaskSource does, for a run that diverges, and for a file of another training.
MetaTraining meta_train(const io::ImageSet& images, const io::Config& config, const std::string& path,
                        const MetaTrainingCallbacks& callbacks = {});

/// What stands in such a file. Throws Error naming it when it cannot be read.
MetaTraining read_meta_training(const std::string& path);

}  // namespace innerloop::meta::reproduce
