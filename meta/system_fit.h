// A comparison system from labelled images to answers: what `train --system`, `eval`, `predict` and cross-validation
// share.
//
//   covxnet   pretrained on pneumonia against normal, the COVID-19 images left out, then all layers fine-tuned on all
//   classes emcnet    trained as a network; then four classifiers on its features, joined by vote (meta/ensemble.h)
//   others    trained as they are
// Every system sees the same images, the same validation share and the same augmentations: those of the configuration.
// Determinism: a pure function of (images, configuration), at any number of threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "io/config.h"
#include "io/dataset.h"
#include "meta/ensemble.h"
#include "meta/supervised.h"
#include "nn/systems/system.h"

namespace innerloop::meta {

/// A system that has been trained, ready to answer.
struct TrainedSystem {
  nn::SystemOptions options;
  std::vector<std::string> classes;  ///< in the order of the probabilities
  Weights weights;
  std::shared_ptr<const Ensemble> ensemble;  ///< of emcnet; else none

  nn::Classifier network() const { return nn::make_system(options); }
};

enum class Stage : std::uint8_t { kPretraining, kTraining };

/// A fit between two iterations; what a checkpoint holds.
struct SystemState {
  Stage stage = Stage::kTraining;
  std::int64_t pretrained = 0;  ///< iterations of the pretraining that came before the training
  FitState fit;
  /// Iterations of both stages.
  std::int64_t step() const { return pretrained + fit.iteration; }
};

/// Which images of a set the pretraining of CovXNet sees, and as what.
struct PretrainingImages {
  LabelledImages images;  ///< 0 normal, 1 pneumonia; none when the set does not have both
  std::string note;       ///< one line: which classes became what, or why there is no pretraining
};

/// By the names of the classes, whatever their case: one that holds "normal" is normal, one that holds "covid" is left
/// out, every other is pneumonia.
PretrainingImages pretraining_images(const io::ImageSet& set);

struct SystemCallbacks {
  std::function<void(Stage, const IterationFigures&)> on_iteration;
  std::function<void(Stage, const CheckFigures&)> on_check;
  std::function<void(const SystemState&)> on_state;    ///< before the first iteration of a stage that begins, and after each
  std::function<void(const std::string&)> on_message;  ///< one line: what was set aside, why pretraining was left out
  const std::atomic<bool>* stop = nullptr;
};

struct SystemFit {
  FitEnd end = FitEnd::kIterations;
  SystemState state;
  TrainedSystem system;  ///< the chosen weights; without an ensemble when stopped
  double validation_accuracy = std::numeric_limits<double>::quiet_NaN();  ///< of the chosen weights; NaN: no validation
  double seconds = 0;
};

/// What fit_system() needs of its images. Throws Error naming the class without an image, or a set of fewer than two
/// classes.
void check_classes(const io::ImageSet& train);

/// Trains config.supervised.system on the images of `train`. `start` goes on from a state of the same (train, config);
/// null begins anew. Throws Error as fit() does, and for a class without an image or fewer than two classes.
SystemFit fit_system(const io::ImageSet& train, const io::Config& config, const SystemState* start = nullptr,
                     const SystemCallbacks& callbacks = {});

/// Probabilities f32 [N, ways] of images u8 [N, H, W, C], in the order of system.classes; each row depends on its image
/// alone.
Tensor probabilities(const TrainedSystem& system, const Tensor& pixels);

/// The system's network for `config`: sides, channels, width and dropout from its keys.
nn::SystemOptions system_options(const io::Config& config, std::int64_t ways);
/// Its training. Throws Error when the step size is left to the system and the optimizer is not Adam.
SupervisedOptions supervised_options(const io::Config& config);

}  // namespace innerloop::meta
