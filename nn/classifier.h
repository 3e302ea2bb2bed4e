// Classifier: a supervised image classifier as a pure function of its parameters.
//
// Parameters are a list in a fixed order with names, each with a leading task axis of 1. What is not a parameter is
// handed in and handed out in the open: the running statistics of batch norm are an argument, the statistics of a batch
// are part of the result, and a dropout mask is a function of the address that the pass names. So the same call gives
// the same bits, at any number of threads.
//
//   training    batch norm by this batch's statistics (biased variance), dropout by the address of the pass
//   evaluation  batch norm by the running statistics, no dropout: an image's answer does not depend on its neighbours
//
// A classifier is put together by nn/classifier_builder.h; nn/systems/system.h has the networks of the publications.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "autograd/ops/dropout.h"
#include "autograd/var.h"

namespace innerloop::nn {

using autograd::Var;
using autograd::Vars;

enum class Phase : std::uint8_t { kTrain, kEvaluate };

/// How one batch goes through. `dropout` is read in training only; layer i draws its mask at (seed, step, task + i), so
/// that no two layers share one.
struct Pass {
  Phase phase = Phase::kEvaluate;
  autograd::DropoutAddress dropout;
};

/// Mean and biased variance [1, K] of each batch norm, in the order of the layers.
struct NormMoments {
  std::vector<Tensor> mean, variance;
  std::vector<std::int64_t>
      values;  ///< of a batch: how many values a channel each norm saw; empty for running statistics
};

struct ClassifierOutput {
  Var logits;         ///< [1, N, ways]
  Var features;       ///< [1, N, F], what the last dense layer reads
  NormMoments batch;  ///< of this batch; empty in evaluation
};

/// One line of the layer table.
struct LayerRow {
  std::string name, kind;   ///< "conv1", "conv 11x11/4, 96"
  Shape output;             ///< of one image: [H, W, C] or [F]
  std::int64_t parameters;  ///< learned values of this layer
};

/// How a parameter begins. Uniform in +-sqrt(6 / fan_in) (He) or +-sqrt(6 / (fan_in + fan_out)) (Glorot).
enum class Start : std::uint8_t { kZero, kOne, kHe, kGlorot };

struct ParameterSpec {
  std::string name;
  Shape shape;  ///< without the task axis, as files hold it
  Start start;
  double fan_in = 1, fan_out = 1;
};

struct NormSpec {
  std::string name;  ///< of the layer
  std::int64_t channels;
};

/// What a layer sees while a batch goes through.
struct LayerCall {
  const Vars& params;
  const NormMoments& running;
  const Pass& pass;
  ClassifierOutput& out;
};

using LayerFunction = std::function<Var(const LayerCall&, const Var&)>;

struct ClassifierParts {
  std::string name, source;  ///< "AlexNet"; the publication
  std::int64_t height = 0, width = 0, channels = 0, ways = 0;
  std::vector<ParameterSpec> parameters;
  std::vector<NormSpec> norms;
  std::vector<LayerRow> rows;
  struct Layer {
    std::string name;
    LayerFunction apply;
  };
  std::vector<Layer> layers;
};

class Classifier {
 public:
  explicit Classifier(ClassifierParts parts);

  const std::string& name() const { return parts_->name; }
  /// The publication that the network is from.
  const std::string& source() const { return parts_->source; }
  std::int64_t height() const { return parts_->height; }
  std::int64_t width() const { return parts_->width; }
  std::int64_t channels() const { return parts_->channels; }
  std::int64_t ways() const { return parts_->ways; }

  const std::vector<ParameterSpec>& parameters() const { return parts_->parameters; }
  const std::vector<NormSpec>& norms() const { return parts_->norms; }
  const std::vector<LayerRow>& layers() const { return parts_->rows; }
  std::int64_t parameter_count() const;

  /// [1, ...] float32 in the order of parameters(), a pure function of the seed.
  std::vector<Tensor> init(std::uint64_t seed) const;
  /// Mean 0, variance 1.
  NormMoments init_moments() const;

  /// Logits of images [1, N, H, W, C] in [0, 1]. Throws Error naming the shapes when images, parameters or statistics
  /// are not this network's.
  ClassifierOutput forward(const Vars& params, const NormMoments& running, const Var& x, const Pass& pass) const;

 private:
  std::shared_ptr<const ClassifierParts> parts_;  ///< shared by copies; never changes
};

/// running <- momentum running + (1 - momentum) batch, with the batch's variance made unbiased (times M / (M - 1) for M
/// values a channel), as the usual implementations do. New tensors: whoever holds the old ones keeps them.
NormMoments updated_moments(const NormMoments& running, const NormMoments& batch, double momentum);

}  // namespace innerloop::nn
