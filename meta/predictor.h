// Predictor: a network adapted once on labelled support images, which then classifies any others.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "io/dataset.h"
#include "meta/evaluator.h"
#include "meta/saliency.h"

namespace innerloop::meta {

struct PredictorOptions {
  InnerOptions inner;
  EvalNorm norm = EvalNorm::kSupport;
};

class Predictor {
 public:
  /// Adapts `params` [1, ...] on all images of `support`, whose classes become the labels in their order. Throws Error
  /// when the number of classes is not the head's width, a class has no image, or the images do not fit the network.
  Predictor(const nn::ConvNet& net, const std::vector<Tensor>& params, const io::ImageSet& support,
            const PredictorOptions& options);

  const std::vector<std::string>& classes() const { return classes_; }

  /// Probabilities f32 [N, ways] of the images u8 [N, H, W, C]. With EvalNorm::kSupport each row depends on its image
  /// alone; with kBatch all N are normalised together.
  Tensor predict(const Tensor& pixels) const;

  /// What in each image speaks for its class of `classes` (saliency.h), under the statistics that predict() uses.
  Saliency explain(const Tensor& pixels, std::span<const std::int64_t> classes) const;

 private:
  nn::ConvNet net_;
  std::vector<Tensor> adapted_;
  nn::NormStatistics statistics_;
  std::vector<std::string> classes_;
  EvalNorm norm_;
};

/// Images u8 [N, H, W, C] -> f32 [1, N, H, W, C] in [0, 1].
Tensor scale_pixels(const Tensor& pixels);

}  // namespace innerloop::meta
