#include "nn/conv_net.h"

#include <algorithm>
#include <cmath>

#include "autograd/op.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/pool.h"
#include "autograd/ops/reduce.h"
#include "kernels/patch_moments.h"
#include "tensor/philox.h"

namespace innerloop::nn {
namespace {

/// The shape of a parameter with the task axis that it has in a list of parameters.
Shape for_one_task(const Shape& parameter) {
  Shape s{1};
  for (int a = 0; a < parameter.rank(); ++a) s = s.append(parameter[a]);
  return s;
}

/// TensorFlow's SAME: output = ceil(in / stride), and an odd pixel of padding goes to the end.
void same_padding(std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t& before, std::int64_t& after) {
  const std::int64_t out = (in + stride - 1) / stride;
  const std::int64_t total = std::max<std::int64_t>(0, (out - 1) * stride + kernel - in);
  before = total / 2;
  after = total - before;
}

autograd::ConvOptions conv_options(const ConvNetOptions& o, std::int64_t h, std::int64_t w) {
  autograd::ConvOptions c;
  c.stride_h = c.stride_w = o.stride;
  if (o.padding == Padding::kSymmetric) {
    c.pad_top = c.pad_bottom = c.pad_left = c.pad_right = (o.kernel - 1) / 2;
  } else {
    same_padding(h, o.kernel, o.stride, c.pad_top, c.pad_bottom);
    same_padding(w, o.kernel, o.stride, c.pad_left, c.pad_right);
  }
  return c;
}

}  // namespace

ConvNet::ConvNet(ConvNetOptions options) : options_(std::move(options)) {
  const ConvNetOptions& o = options_;
  IL_CHECK(!o.filters.empty(), "model.filters: at least one block is needed");
  for (std::int64_t k : o.filters) IL_CHECK(k >= 1, "model.filters: a block of {} filters; at least 1 is needed", k);
  IL_CHECK(o.kernel >= 1 && o.stride >= 1, "model.kernel = {}, model.stride = {}: both start at 1", o.kernel, o.stride);
  IL_CHECK(o.channels >= 1 && o.ways >= 1, "model: {} channels and {} ways; at least 1 of either is needed", o.channels,
           o.ways);
  std::int64_t h = o.height, w = o.width, c = o.channels;
  for (std::size_t i = 0; i < o.filters.size(); ++i) {
    const std::string block = "block" + std::to_string(i + 1);
    autograd::ConvBlockOptions b{conv_options(o, h, w), o.pool, o.norm_epsilon};
    const Shape weight{o.kernel, o.kernel, c, o.filters[i]};
    const auto extent = [&](std::int64_t in, std::int64_t before, std::int64_t after) {
      const std::int64_t room = in + before + after - o.kernel;
      return room < 0 ? 0 : room / o.stride + 1;
    };
    h = extent(h, b.conv.pad_top, b.conv.pad_bottom);
    w = extent(w, b.conv.pad_left, b.conv.pad_right);
    const bool moments = i == 0 && kernels::moments_suffice(b.conv.geometry(), for_one_task(weight));
    if (!moments) recorded_elements_ += h * w * o.filters[i];
    if (o.pool == Pool::kMax2x2) h /= 2, w /= 2;
    recorded_elements_ += h * w * o.filters[i] * 9 / 4;
    IL_CHECK(h >= 1 && w >= 1,
             "model: a {}x{} image is used up in block {} of {}; raise data.size, or use fewer model.filters", o.height,
             o.width, i + 1, o.filters.size());
    Block place{block, b, names_.size(), 0, 0};
    names_.push_back(block + ".conv.weight");
    shapes_.push_back(weight);
    if (o.norm_scale == NormScale::kYes) {
      place.scale = names_.size();
      names_.push_back(block + ".norm.scale");
      shapes_.push_back({o.filters[i]});
    }
    place.shift = names_.size();
    names_.push_back(block + ".norm.shift");
    shapes_.push_back({o.filters[i]});
    blocks_.push_back(place);
    c = o.filters[i];
  }
  features_ = o.head == Head::kMean ? c : h * w * c;
  names_.push_back("head.weight");
  shapes_.push_back({features_, o.ways});
  names_.push_back("head.bias");
  shapes_.push_back({o.ways});
}

std::int64_t ConvNet::parameter_count() const {
  std::int64_t n = 0;
  for (const Shape& s : shapes_) n += s.numel();
  return n;
}

std::vector<Tensor> ConvNet::init(std::uint64_t seed) const {
  std::vector<Tensor> params;
  for (std::size_t i = 0; i < names_.size(); ++i) {
    const Shape s = for_one_task(shapes_[i]);
    const bool weight = names_[i].ends_with(".weight");
    if (!weight) {
      params.push_back(Tensor::full(s, DType::kF32, names_[i].ends_with(".scale") ? 1 : 0));
    } else {
      const std::int64_t window = shapes_[i].rank() == 4 ? shapes_[i][0] * shapes_[i][1] : 1;
      const double fans = static_cast<double>(window * (shapes_[i][-2] + shapes_[i][-1]));
      const float bound = static_cast<float>(std::sqrt(6.0 / fans));
      PhiloxSequence random(seed, Stream::kInit, 0, static_cast<std::uint32_t>(i));
      Tensor t = Tensor::empty_on_host(s, DType::kF32);
      for (float& x : t.mutable_data<float>()) x = bound * (2 * random.uniform() - 1);
      params.push_back(t.to_context());
    }
  }
  return params;
}

Var ConvNet::features(const Var& p) const {
  const Shape& s = p.shape();
  return options_.head == Head::kMean ? autograd::global_average_pool(p)
                                      : autograd::reshape(p, {s[0], s[1], s[2] * s[3] * s[4]});
}

Var ConvNet::head(const Vars& params, const Var& p) const {
  const autograd::LayerScope layer("head");
  return autograd::linear(features(p), params[params.size() - 2], params.back());
}

void ConvNet::check_input(std::size_t parameters, const Shape& x) const {
  IL_CHECK(parameters == names_.size(), "model: {} parameters where the configuration has {}", parameters, names_.size());
  IL_CHECK(x.rank() == 5 && x[2] == options_.height && x[3] == options_.width && x[4] == options_.channels,
           "model: images of shape {} for a network of {}x{}x{}; [T, N, H, W, C] is needed", x.to_string(),
           options_.height, options_.width, options_.channels);
}

void ConvNet::check_statistics(const NormStatistics& statistics) const {
  IL_CHECK(statistics.mean.size() == blocks_.size() && statistics.rstd.size() == blocks_.size(),
           "model: statistics of {} blocks for {}", std::min(statistics.mean.size(), statistics.rstd.size()), blocks_.size());
}

Var ConvNet::scale_of(const Vars& params, const Block& b) const {
  return options_.norm_scale == NormScale::kYes ? params[b.scale] : Var();
}

Images ConvNet::images(const Var& x) const {
  check_input(names_.size(), x.shape());
  if (options_.form == BlockForm::kReference) return x;
  const Block& first = blocks_.front();
  const autograd::LayerScope layer(first.name.c_str());
  return {x, autograd::conv_block_moments(x, for_one_task(shapes_[first.weight]), first.options)};
}

std::pair<Images, Images> ConvNet::images(const Var& first, const Var& second) const {
  for (const Var* x : {&first, &second}) check_input(names_.size(), x->shape());
  if (options_.form == BlockForm::kReference) return {first, second};
  const Block& block = blocks_.front();
  const autograd::LayerScope layer(block.name.c_str());
  const auto [a, b] = autograd::conv_block_moments(first, second, for_one_task(shapes_[block.weight]), block.options);
  return {{first, a}, {second, b}};
}

std::vector<autograd::ConvBlockResult> ConvNet::block_results(const Vars& params, const Images& x) const {
  check_input(params.size(), x.x.shape());
  std::vector<autograd::ConvBlockResult> results;
  for (const Block& b : blocks_) {
    const autograd::LayerScope layer(b.name.c_str());
    const bool first = results.empty();
    const Var a = first ? x.x : results.back().p, scale = scale_of(params, b);
    if (options_.form == BlockForm::kReference)
      results.push_back(autograd::conv_block_reference(a, params[b.weight], scale, params[b.shift], b.options));
    else if (first && x.moments.defined())
      results.push_back(autograd::conv_block_with_moments(a, params[b.weight], scale, params[b.shift], b.options, x.moments));
    else
      results.push_back(autograd::conv_block(a, params[b.weight], scale, params[b.shift], b.options));
  }
  return results;
}

Var ConvNet::logits(const Vars& params, const Images& x) const { return head(params, blocks(params, x)); }

LossGradient ConvNet::loss_gradient(const Vars& params, const Images& x, const Tensor& labels,
                                    autograd::LossReduction reduction, autograd::Record record,
                                    autograd::HeadFigures figures) const {
  const Var p = blocks(params, x);
  Var at_head;
  autograd::HeadLossResult head;
  {
    const autograd::LayerScope layer("head");
    at_head = features(p);
    head = autograd::head_loss(at_head, params[params.size() - 2], params.back(), labels, reduction, figures);
  }
  const Vars below(params.begin(), params.end() - 2);
  Vars gradient = autograd::vjp({at_head}, {head.gx}, below, record);
  for (std::size_t i = 0; i < below.size(); ++i) gradient[i] = autograd::or_zeros(gradient[i], below[i]);
  gradient.push_back(head.gw);
  gradient.push_back(head.gbias);
  return {head.loss, gradient, head.accuracy};
}

Tensor ConvNet::logits_and_statistics(const std::vector<Tensor>& params, const Tensor& x,
                                      NormStatistics& statistics) const {
  check_input(params.size(), x.shape());
  autograd::RecordScope off(false);
  statistics = {};
  const Vars p(params.begin(), params.end());
  Var a = x;
  for (const Block& b : blocks_) {
    const Var scale = options_.norm_scale == NormScale::kYes ? p[b.scale] : Var();
    const auto result = autograd::conv_block(a, p[b.weight], scale, p[b.shift], b.options);
    statistics.mean.push_back(result.mean.value());
    statistics.rstd.push_back(result.rstd.value());
    a = result.p;
  }
  return head(p, a).value();
}

Tensor ConvNet::logits_with_statistics(const std::vector<Tensor>& params, const Tensor& x,
                                       const NormStatistics& statistics) const {
  check_input(params.size(), x.shape());
  check_statistics(statistics);
  autograd::RecordScope off(false);
  Tensor a = x;
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    const Block& b = blocks_[i];
    const Tensor scale = options_.norm_scale == NormScale::kYes ? params[b.scale] : Tensor();
    a = autograd::conv_block_with_statistics(a, params[b.weight], scale, params[b.shift], statistics.mean[i],
                                             statistics.rstd[i], b.options);
  }
  return head(Vars(params.begin(), params.end()), a).value();
}

Vars ConvNet::activations_with_statistics(const Vars& params, const Var& x, const NormStatistics& statistics) const {
  check_input(params.size(), x.shape());
  check_statistics(statistics);
  Vars out;
  Var a = x;
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    const Block& b = blocks_[i];
    const Var scale = options_.norm_scale == NormScale::kYes ? params[b.scale] : Var();
    a = autograd::conv_block_with_statistics_reference(a, params[b.weight], scale, params[b.shift], statistics.mean[i],
                                                       statistics.rstd[i], b.options);
    out.push_back(a);
  }
  out.push_back(head(params, a));
  return out;
}

void ConvNet::check_shapes(const std::vector<Tensor>& params) const {
  IL_CHECK(params.size() == names_.size(), "model: {} parameters where the configuration has {}", params.size(),
           names_.size());
  for (std::size_t i = 0; i < names_.size(); ++i)
    IL_CHECK(params[i].shape() == shapes_[i], "model: {} has shape {}, the configuration needs {}", names_[i],
             params[i].shape().to_string(), shapes_[i].to_string());
}

}  // namespace innerloop::nn
