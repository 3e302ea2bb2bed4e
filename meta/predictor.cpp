#include "meta/predictor.h"

#include <numeric>

#include "autograd/op.h"
#include "autograd/ops/loss.h"
#include "meta/class_index.h"
#include "meta/finite.h"

namespace innerloop::meta {

Tensor scale_pixels(const Tensor& pixels) {
  IL_CHECK(pixels.shape().rank() == 4 && pixels.dtype() == DType::kU8,
           "predict: images are {} {}; u8 [N, H, W, C] is needed", name_of(pixels.dtype()), pixels.shape().to_string());
  std::vector<std::int64_t> all(static_cast<std::size_t>(pixels.shape()[0]));
  std::iota(all.begin(), all.end(), std::int64_t{0});
  return gather_images(pixels.to_context(), Tensor::from({1, static_cast<std::int64_t>(all.size())}, all));
}

Predictor::Predictor(const nn::ConvNet& net, const std::vector<Tensor>& params, const io::ImageSet& support,
                     const PredictorOptions& options)
    : net_(net), classes_(support.classes), norm_(options.norm) {
  const nn::ConvNetOptions& n = net.options();
  IL_CHECK(static_cast<std::int64_t>(classes_.size()) == n.ways,
           "predict: {} has {} classes and the network answers among {}; give a support folder of {} classes",
           describe(support), classes_.size(), n.ways, n.ways);
  IL_CHECK(support.height == n.height && support.width == n.width && support.channels == n.channels,
           "predict: support images of {}x{}x{} for a network of {}x{}x{}; load them with data.size = {} and "
           "data.channels = {}",
           support.height, support.width, support.channels, n.height, n.width, n.channels, n.height, n.channels);
  const auto members = support.by_class();
  for (std::size_t c = 0; c < classes_.size(); ++c)
    IL_CHECK(!members[c].empty(), "predict: class '{}' of {} has no image; add at least one", classes_[c],
             describe(support));
  const Tensor x = scale_pixels(support.pixels);
  const std::vector<std::int64_t> labels(support.labels.begin(), support.labels.end());
  std::vector<Tensor> start;
  for (const Tensor& p : params) start.push_back(p.to_context());
  adapted_ = adapt(net, start, x, Tensor::from({1, support.count()}, labels), options.inner);
  IL_CHECK(
      first_not_finite(adapted_) < 0,
      "predict: the parameters adapted on {} are not finite: the adaptation diverges; lower inner.rate or eval.steps",
      describe(support));
  net.logits_and_statistics(adapted_, x, statistics_);
}

Tensor Predictor::predict(const Tensor& pixels) const {
  const Tensor x = scale_pixels(pixels);
  IL_CHECK(x.shape()[1] >= 1, "predict: no image was given");
  autograd::RecordScope off(false);
  const Tensor logits = norm_ == EvalNorm::kSupport
                            ? net_.logits_with_statistics(adapted_, x, statistics_)
                            : net_.logits(autograd::Vars(adapted_.begin(), adapted_.end()), x).value();
  const Tensor p = autograd::softmax(logits).value();
  return p.to_host().reshape({p.shape()[1], p.shape()[2]});
}

Saliency Predictor::explain(const Tensor& pixels, std::span<const std::int64_t> classes) const {
  const Tensor x = scale_pixels(pixels);
  nn::NormStatistics of_the_batch;
  if (norm_ == EvalNorm::kBatch) net_.logits_and_statistics(adapted_, x, of_the_batch);
  return saliency_of(net_, adapted_, norm_ == EvalNorm::kBatch ? of_the_batch : statistics_, x, classes);
}

}  // namespace innerloop::meta
