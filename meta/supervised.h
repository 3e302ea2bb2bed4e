// Supervised training: a classifier fitted on labelled images.
//
//   for each iteration: draw a batch, augment it, weighted cross-entropy, gradient, clip, Adam or SGD
//     every `validate_every`: loss on the validation images; the best so far is kept; `patience` checks without a
//     better one end the fit
// Batches walk through the images in an order that is drawn anew each time all have been seen. All draws are addressed
// by (seed, iteration), so a fit is a pure function of (network, images, options): the same bits at any number of
// threads, and a fit that goes on from a FitState ends where an uninterrupted one does.
//
// loss = sum_i w[y_i] CE_i / sum_i w[y_i],  w = 1, or n / (classes n_c) for ClassWeights::kBalanced
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "io/dataset.h"
#include "kernels/sample.h"
#include "meta/optimizer.h"
#include "nn/classifier.h"

namespace innerloop::meta {

/// Images as bytes with their classes.
struct LabelledImages {
  Tensor pixels;                     ///< u8 [M, H, W, C]; undefined when there is none
  std::vector<std::int32_t> labels;  ///< [M] in [0, ways)
  std::int64_t count() const { return static_cast<std::int64_t>(labels.size()); }
};

/// The images of `set`, labelled by their place in set.classes.
LabelledImages labelled_images(const io::ImageSet& set);

struct TrainPart {
  io::ImageSet train, validation;  ///< `validation` has no image where none could be spared
  std::string note;                ///< one line: what was set aside, or why nothing was
};

/// Sets `share` of the images aside for early stopping, by whole patients (io/groups.h). With share = 0, or where a
/// class would be left without an image on either side, nothing is set aside, and the note says so.
TrainPart split_validation(const io::ImageSet& set, double share, std::uint64_t seed);

enum class ClassWeights : std::uint8_t { kNone, kBalanced };

struct SupervisedOptions {
  OptimizerOptions optimizer;  ///< kind, rate, schedule, clip; its iterations are the fit's
  std::int64_t batch = 16;     ///< images an iteration; never more than there are
  std::int64_t validate_every = 20;
  std::int64_t patience = 10;  ///< checks without a better validation loss that end the fit; 0: never
  double norm_momentum = 0.9;  ///< of the running statistics (nn/classifier.h)
  ClassWeights class_weights = ClassWeights::kBalanced;
  std::vector<kernels::Augmentation> augment;  ///< of training images; kernels/sample.h
  std::uint64_t seed = 1;
};

/// Parameters and statistics of a classifier.
struct Weights {
  std::vector<Tensor> params;
  nn::NormMoments running;
};

/// The best check so far.
struct BestFit {
  double loss = std::numeric_limits<double>::infinity(), accuracy = 0;
  std::int64_t iteration = 0;
  Weights weights;  ///< empty: none yet
};

/// A fit as it stands between two iterations.
struct FitState {
  std::int64_t iteration = 0;  ///< done
  Weights weights;
  OptimizerState optimizer;
  BestFit best;
  std::int64_t checks_without_gain = 0;
};

/// Fresh weights and moments.
FitState start_fit(const nn::Classifier& network, const SupervisedOptions& options);
/// The same from given weights.
FitState start_fit(Weights weights, const SupervisedOptions& options);

struct IterationFigures {
  std::int64_t iteration = 0;  ///< 1 for the first
  double loss = 0, accuracy = 0, gradient_norm = 0, rate = 0, seconds = 0;
};
struct CheckFigures {
  std::int64_t iteration = 0, images = 0;
  double loss = 0, accuracy = 0, seconds = 0;  ///< mean cross-entropy and share of right answers
};

/// What the caller may want to see; every member may be empty. Called from the thread that fits.
struct FitCallbacks {
  std::function<void(const IterationFigures&)> on_iteration;
  std::function<void(const CheckFigures&)> on_check;
  /// After each iteration and its check, with the state that a resumed fit would start from.
  std::function<void(const FitState&)> on_state;
  const std::atomic<bool>* stop = nullptr;  ///< when it turns true, the fit ends after the iteration at hand
};

enum class FitEnd : std::uint8_t {
  kIterations,  ///< all iterations are done
  kPatience,    ///< the validation loss had stopped falling
  kStopped,     ///< by the stop flag; go on from the state
};

struct FitResult {
  FitEnd end = FitEnd::kIterations;
  FitState state;
  /// The best check's weights; the last ones when there was no validation image.
  const Weights& chosen() const { return state.best.weights.params.empty() ? state.weights : state.best.weights; }
};

/// Throws Error: images that do not fit the network, a label out of range, no image; a loss or parameter that is not
/// finite (naming the iteration and what to lower).
FitResult fit(const nn::Classifier& network, const LabelledImages& train, const LabelledImages& validation,
              const SupervisedOptions& options, FitState start, const FitCallbacks& callbacks = {});

/// Probabilities f32 [N, ways] of images u8 [N, H, W, C]; each row depends on its image alone.
Tensor classify(const nn::Classifier& network, const Weights& weights, const Tensor& pixels);

/// What the last dense layer reads, f32 [N, F].
Tensor features_of(const nn::Classifier& network, const Weights& weights, const Tensor& pixels);

}  // namespace innerloop::meta
