// The few-shot network: conv blocks (convolution, batch norm, ReLU, optional max-pool) and a linear head.
//
// A model is a pure function of its parameters: init(seed) makes them, logits(params, x) applies them. Parameters are a
// list in a fixed order with names; each carries the leading task axis, so one call serves theta [1, ...] or a theta_k
// per task [T, ...].
//
//   block i:  y = conv(x, w_i);  p = pool(relu(gamma_i (y - mean)/sqrt(var + eps) + beta_i)), statistics over the
//   task's images head:     logits = flatten(p_4) W + b, features in the order H, W, C;  or the mean over H and W
//   instead of flatten
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "autograd/ops/conv_block.h"
#include "autograd/ops/head.h"
#include "autograd/transforms.h"
#include "autograd/var.h"

namespace innerloop::nn {

using autograd::Pool;
using autograd::Var;
using autograd::Vars;

enum class Padding { kSymmetric, kSame };
enum class Head { kFlatten, kMean };
enum class NormScale { kNo, kYes };

/// Fused conv blocks, or the same in plain ops: the reference that the fused ones are held against.
enum class BlockForm { kFused, kReference };

struct ConvNetOptions {
  std::vector<std::int64_t> filters{64, 64, 64, 64};
  std::int64_t kernel = 3, stride = 1;
  Padding padding = Padding::kSymmetric;
  Pool pool = Pool::kMax2x2;
  Head head = Head::kFlatten;
  NormScale norm_scale = NormScale::kYes;
  double norm_epsilon = 1e-5;
  std::int64_t height = 28, width = 28, channels = 1;
  std::int64_t ways = 5;
  BlockForm form = BlockForm::kFused;
};

/// mean and rstd [T, K] of each block.
struct NormStatistics {
  std::vector<Tensor> mean, rstd;
};

struct LossGradient {
  Tensor loss;      ///< [T]
  Vars gradient;    ///< as the parameters
  Tensor accuracy;  ///< [T], float64; undefined unless asked for
};

/// One step of the inner loop.
struct ParameterStep {
  Tensor loss;  ///< [T], before it
  Vars next;    ///< the parameters after it
};

/// Images [T|1, N, H, W, C] and what the first block keeps of them whatever its parameters are (ConvNet::images()), or nothing.
struct Images {
  Var x;
  Tensor moments;

  Images(const Var& images) : x(images) {}     // NOLINT: images are images, known already or not
  Images(const Tensor& images) : x(images) {}  // NOLINT
  Images(const Var& images, const Tensor& known) : x(images), moments(known) {}
};

class ConvNet {
 public:
  /// Throws, naming the key, when the image is too small for the blocks.
  explicit ConvNet(ConvNetOptions options);

  const ConvNetOptions& options() const { return options_; }
  /// "block1.conv.weight", "block1.norm.scale", "block1.norm.shift", ..., "head.weight", "head.bias".
  const std::vector<std::string>& names() const { return names_; }
  /// Shapes without the task axis, as files hold them.
  const std::vector<Shape>& shapes() const { return shapes_; }
  std::int64_t parameter_count() const;
  std::int64_t features() const { return features_; }
  /// Elements that the record of a gradient keeps for each image on a CPU: y, p, the choices and the gradient of p of every block, but
  /// for the first one's y, whose images' moments take its place.
  std::int64_t recorded_elements() const { return recorded_elements_; }

  /// Convolutions: Glorot's uniform (fan in and out of the 3x3 window), as Keras and MAML use; scale 1, shift 0; head:
  /// Glorot's uniform, bias 0. [1, ...] float32, a pure function of the seed.
  std::vector<Tensor> init(std::uint64_t seed) const;

  /// x with what is worth knowing of images that meet several parameters.
  Images images(const Var& x) const;
  /// The same of two sets of images, which a device looks at together.
  std::pair<Images, Images> images(const Var& first, const Var& second) const;

  /// Logits [T, N, ways] of images [T|1, N, H, W, C], normalised by the statistics of these N images.
  Var logits(const Vars& params, const Images& x) const;

  /// The loss of these images and its gradient in all parameters, which have the T of the images. With Record::kGraph the
  /// gradient can be differentiated. The head is one kernel (autograd/ops/head.h).
  LossGradient loss_gradient(const Vars& params, const Images& x, const Tensor& labels, autograd::LossReduction reduction,
                             autograd::Record record,
                             autograd::HeadFigures figures = autograd::HeadFigures::kLoss) const;

  /// params - rate * gradient of the loss of these images; parameters as in loss_gradient(). With Record::kGraph the step can be
  /// differentiated: its tangent along lambda is lambda - rate H lambda. Each layer's gradient is used where it is made
  /// (autograd/ops/inner_step.h).
  ParameterStep step(const Vars& params, const Images& x, const Tensor& labels, autograd::LossReduction reduction, double rate,
                     autograd::Record record) const;

  /// The statistics that `logits` would use, and the logits.
  Tensor logits_and_statistics(const std::vector<Tensor>& params, const Tensor& x, NormStatistics& statistics) const;

  /// Logits normalised by given statistics, so that one image's answer does not depend on its neighbours.
  Tensor logits_with_statistics(const std::vector<Tensor>& params, const Tensor& x,
                                const NormStatistics& statistics) const;

  /// The output of each block, then the logits, with given statistics: a record that derivatives with respect to any of
  /// them can be taken of, when `x` or a parameter is tracked.
  Vars activations_with_statistics(const Vars& params, const Var& x, const NormStatistics& statistics) const;

  /// Throws, naming the parameter, when `params` (without a task axis) do not have this model's shapes.
  void check_shapes(const std::vector<Tensor>& params) const;

 private:
  struct Block {
    std::string name;
    autograd::ConvBlockOptions options;
    std::size_t weight, scale, shift;  ///< places in the parameter list; scale unused without norm_scale
  };
  /// What each block makes of the one before; the last one's p is [T, N, H, W, C].
  std::vector<autograd::ConvBlockResult> block_results(const Vars& params, const Images& x) const;
  Var blocks(const Vars& params, const Images& x) const { return block_results(params, x).back().p; }
  /// Undefined where the blocks have no scale.
  Var scale_of(const Vars& params, const Block& b) const;
  /// What the head's linear layer reads: [T, N, F].
  Var features(const Var& p) const;
  Var head(const Vars& params, const Var& p) const;
  void check_input(std::size_t parameters, const Shape& x) const;
  void check_statistics(const NormStatistics& statistics) const;

  ConvNetOptions options_;
  std::vector<Block> blocks_;
  std::vector<std::string> names_;
  std::vector<Shape> shapes_;
  std::int64_t features_ = 0, recorded_elements_ = 0;
};

}  // namespace innerloop::nn
