#include "meta/saliency.h"

#include <algorithm>

#include "autograd/op.h"
#include "autograd/transforms.h"

namespace innerloop::meta {
namespace {

/// The place, among the blocks' outputs, of the one to look at.
std::size_t block_to_show(const autograd::Vars& activations) {
  std::size_t best = 0;
  for (std::size_t i = 0; i + 1 < activations.size(); ++i) {
    const Shape& s = activations[i].shape();
    if (std::min(s[2], s[3]) >= kMinGrid) best = i;
  }
  return best;
}

/// 1 at the class of each image, else 0: the cotangent that picks its logit. [1, N, ways].
Tensor pick(std::span<const std::int64_t> classes, std::int64_t ways) {
  const auto n = static_cast<std::int64_t>(classes.size());
  std::vector<float> one(static_cast<std::size_t>(n * ways));
  for (std::size_t i = 0; i < classes.size(); ++i) {
    IL_CHECK(classes[i] >= 0 && classes[i] < ways, "saliency: class {} of image {}; the network has {} classes", classes[i],
             i, ways);
    one[i * static_cast<std::size_t>(ways) + static_cast<std::size_t>(classes[i])] = 1;
  }
  return Tensor::from({1, n, ways}, one).to_context();
}

}  // namespace

Saliency saliency_of(const nn::ConvNet& net, const std::vector<Tensor>& params, const nn::NormStatistics& statistics,
                     const Tensor& x, std::span<const std::int64_t> classes) {
  IL_CHECK(x.shape().rank() == 5 && x.shape()[0] == 1 && x.shape()[1] == static_cast<std::int64_t>(classes.size()),
           "saliency: images {} for {} classes; [1, N, H, W, C] and one class an image are needed", x.shape().to_string(),
           classes.size());
  autograd::RecordScope on(true);
  const autograd::Vars activations = net.activations_with_statistics(autograd::Vars(params.begin(), params.end()),
                                                                     autograd::variable(x), statistics);
  const std::size_t block = block_to_show(activations);
  const autograd::Var& a = activations[block];
  const Tensor derivative = autograd::vjp({activations.back()}, {pick(classes, net.options().ways)}, {a},
                                          autograd::Record::kValues)[0]
                                .value()
                                .to_host();
  const Tensor value = a.value().to_host();

  const Shape& s = a.shape();
  const std::int64_t cells = s[2] * s[3], channels = s[4];
  Tensor map = Tensor::empty_on_host({s[1], s[2], s[3]}, DType::kF32);
  const auto v = value.data<float>(), d = derivative.data<float>();
  const auto out = map.mutable_data<float>();
  for (std::int64_t n = 0; n < s[1]; ++n) {
    float largest = 0;
    for (std::int64_t c = n * cells; c < (n + 1) * cells; ++c) {
      float sum = 0;
      for (std::int64_t k = c * channels; k < (c + 1) * channels; ++k)
        sum += v[static_cast<std::size_t>(k)] * d[static_cast<std::size_t>(k)];
      out[static_cast<std::size_t>(c)] = std::max(0.0f, sum);
      largest = std::max(largest, out[static_cast<std::size_t>(c)]);
    }
    for (std::int64_t c = n * cells; largest > 0 && c < (n + 1) * cells; ++c) out[static_cast<std::size_t>(c)] /= largest;
  }
  return {map, "block" + std::to_string(block + 1)};
}

}  // namespace innerloop::meta
