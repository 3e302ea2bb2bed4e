#include "nn/classifier.h"

#include <cmath>

#include "autograd/op.h"
#include "tensor/philox.h"

namespace innerloop::nn {
namespace {

Shape with_task(const Shape& shape) {
  Shape s{1};
  for (int a = 0; a < shape.rank(); ++a) s = s.append(shape[a]);
  return s;
}

Tensor uniform(const Shape& shape, double bound, std::uint64_t seed, std::size_t place) {
  PhiloxSequence random(seed, Stream::kInit, 0, static_cast<std::uint32_t>(place));
  Tensor t = Tensor::empty_on_host(shape, DType::kF32);
  const float b = static_cast<float>(bound);
  for (float& x : t.mutable_data<float>()) x = b * (2 * random.uniform() - 1);
  return t.to_context();
}

}  // namespace

Classifier::Classifier(ClassifierParts parts) : parts_(std::make_shared<const ClassifierParts>(std::move(parts))) {}

std::int64_t Classifier::parameter_count() const {
  std::int64_t n = 0;
  for (const ParameterSpec& p : parameters()) n += p.shape.numel();
  return n;
}

std::vector<Tensor> Classifier::init(std::uint64_t seed) const {
  std::vector<Tensor> params;
  for (std::size_t i = 0; i < parameters().size(); ++i) {
    const ParameterSpec& p = parameters()[i];
    const Shape shape = with_task(p.shape);
    if (p.start == Start::kZero || p.start == Start::kOne)
      params.push_back(Tensor::full(shape, DType::kF32, p.start == Start::kOne ? 1 : 0));
    else
      params.push_back(
          uniform(shape, std::sqrt(6 / (p.start == Start::kHe ? p.fan_in : p.fan_in + p.fan_out)), seed, i));
  }
  return params;
}

NormMoments Classifier::init_moments() const {
  NormMoments m;
  for (const NormSpec& n : norms()) {
    m.mean.push_back(Tensor::zeros({1, n.channels}, DType::kF32));
    m.variance.push_back(Tensor::full({1, n.channels}, DType::kF32, 1));
  }
  return m;
}

ClassifierOutput Classifier::forward(const Vars& params, const NormMoments& running, const Var& x,
                                     const Pass& pass) const {
  const Shape& s = x.shape();
  IL_CHECK(s.rank() == 5 && s[0] == 1 && s[2] == height() && s[3] == width() && s[4] == channels(),
           "{}: images of shape {} for a network of {}x{}x{}; [1, N, H, W, C] is needed", name(), s.to_string(),
           height(), width(), channels());
  IL_CHECK(params.size() == parameters().size(), "{}: {} parameters where the network has {}", name(), params.size(),
           parameters().size());
  for (std::size_t i = 0; i < params.size(); ++i)
    IL_CHECK(params[i].shape() == with_task(parameters()[i].shape), "{}: {} has shape {}, the network needs {}", name(),
             parameters()[i].name, params[i].shape().to_string(), with_task(parameters()[i].shape).to_string());
  IL_CHECK(pass.phase == Phase::kTrain ||
               (running.mean.size() == norms().size() && running.variance.size() == norms().size()),
           "{}: running statistics of {} batch norms where the network has {}", name(), running.mean.size(),
           norms().size());

  ClassifierOutput out;
  if (pass.phase == Phase::kTrain) {
    out.batch.mean.resize(norms().size());
    out.batch.variance.resize(norms().size());
    out.batch.values.resize(norms().size());
  }
  const LayerCall call{params, running, pass, out};
  Var y = x;
  for (const ClassifierParts::Layer& layer : parts_->layers) {
    const autograd::LayerScope scope(layer.name.c_str());
    y = layer.apply(call, y);
  }
  out.logits = y;
  return out;
}

}  // namespace innerloop::nn
