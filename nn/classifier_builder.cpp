#include "nn/classifier_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "autograd/ops/adaptive_pool.h"
#include "autograd/ops/conv.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/pool.h"
#include "autograd/ops/recurrent.h"
#include "autograd/ops/reduce.h"

namespace innerloop::nn {
namespace {

constexpr double kNormEpsilon = 1e-3;  // Keras's, which the networks that have batch norm were written with

std::string kind_of(const ConvLayer& l) {
  std::string text = fmt::format("conv {}x{}, {}", l.kernel, l.kernel, l.filters);
  if (l.stride > 1) text += fmt::format(", stride {}", l.stride);
  if (l.groups > 1) text += fmt::format(", {} groups", l.groups);
  if (l.dilation > 1) text += fmt::format(", dilation {}", l.dilation);
  return text;
}

}  // namespace

Var activate(Activation activation, const Var& x) {
  switch (activation) {
    case Activation::kRelu:
      return autograd::relu(x);
    case Activation::kTanh:
      return autograd::tanh(x);
    case Activation::kNone:
      break;
  }
  return x;
}

Var apply_conv(const LayerCall& call, const ConvPlace& place, const Var& x) {
  const ConvLayer& l = place.layer;
  autograd::ConvOptions o;
  o.stride_h = o.stride_w = l.stride;
  o.pad_top = o.pad_bottom = o.pad_left = o.pad_right = l.pad;
  o.dilation_h = o.dilation_w = l.dilation;
  o.groups = l.groups;
  const Var& bias = call.params[place.bias];
  return autograd::conv(x, call.params[place.weight], o) + autograd::reshape(bias, {1, 1, 1, 1, bias.shape()[1]});
}

Var apply_norm(const LayerCall& call, const NormPlace& place, const Var& x) {
  const Var &scale = call.params[place.scale], &shift = call.params[place.shift];
  const std::size_t i = place.statistics;
  if (call.pass.phase == Phase::kEvaluate)
    return autograd::batch_norm_with(x, call.running.mean[i], call.running.variance[i], scale, shift, kNormEpsilon);
  const autograd::BatchNormResult r = autograd::batch_norm(x, scale, shift, kNormEpsilon);
  call.out.batch.mean[i] = r.mean.value();
  call.out.batch.variance[i] = r.variance.value();
  call.out.batch.values[i] = x.shape()[1] * x.shape()[2] * x.shape()[3];
  return r.y;
}

ClassifierBuilder::ClassifierBuilder(std::string name, std::string source, Shape image, std::int64_t ways,
                                     std::optional<double> dropout_for_all)
    : shape_(std::move(image)), dropout_for_all_(dropout_for_all) {
  IL_CHECK(shape_.rank() == 3 && shape_.numel() >= 1 && ways >= 1,
           "{}: images {} and {} ways; [H, W, C] and at least 1 are needed", name, shape_.to_string(), ways);
  parts_.name = std::move(name);
  parts_.source = std::move(source);
  parts_.height = shape_[0];
  parts_.width = shape_[1];
  parts_.channels = shape_[2];
  parts_.ways = ways;
}

std::int64_t ClassifierBuilder::windows(const std::string& name, std::int64_t in, std::int64_t window,
                                        std::int64_t stride) const {
  IL_CHECK(in >= window, "{}: a {}x{} image is used up at {}; raise data.size", parts_.name, parts_.height,
           parts_.width, name);
  return (in - window) / stride + 1;
}

void ClassifierBuilder::need_map(const std::string& name) const {
  IL_CHECK(shape_.rank() == 3, "{}: {} needs a map and finds {}", parts_.name, name, shape_.to_string());
}

std::size_t ClassifierBuilder::parameter(const std::string& name, const Shape& shape, Start start, double fan_in,
                                         double fan_out) {
  parts_.parameters.push_back({name, shape, start, fan_in, fan_out});
  return parts_.parameters.size() - 1;
}

ConvPlace ClassifierBuilder::conv_place(const std::string& name, const ConvLayer& l, std::int64_t channels) {
  IL_CHECK(channels % l.groups == 0 && l.filters % l.groups == 0, "{}: {} has {} groups for {} channels and {} filters",
           parts_.name, name, l.groups, channels, l.filters);
  const std::int64_t from = channels / l.groups;
  const auto window = static_cast<double>(l.kernel * l.kernel);
  const Start start = l.activation == Activation::kRelu ? Start::kHe : Start::kGlorot;
  const std::size_t weight =
      parameter(name + ".weight", {l.kernel, l.kernel, from, l.filters}, start, window * static_cast<double>(from),
                window * static_cast<double>(l.filters / l.groups));
  return {weight, parameter(name + ".bias", {l.filters}, Start::kZero), l};
}

NormPlace ClassifierBuilder::norm_place(const std::string& name, std::int64_t channels) {
  parts_.norms.push_back({name, channels});
  const std::size_t scale = parameter(name + ".scale", {channels}, Start::kOne);
  return {scale, parameter(name + ".shift", {channels}, Start::kZero), parts_.norms.size() - 1};
}

std::int64_t ClassifierBuilder::parameters_since(std::size_t begin) const {
  std::int64_t n = 0;
  for (std::size_t i = begin; i < parts_.parameters.size(); ++i) n += parts_.parameters[i].shape.numel();
  return n;
}

ClassifierBuilder& ClassifierBuilder::layer(const LayerRow& row, LayerFunction apply) {
  parts_.rows.push_back(row);
  parts_.layers.push_back({row.name, std::move(apply)});
  shape_ = row.output;
  return *this;
}

ClassifierBuilder& ClassifierBuilder::conv(const std::string& name, const ConvLayer& l) {
  need_map(name);
  const std::int64_t reach = (l.kernel - 1) * l.dilation + 1;
  const Shape out{windows(name, shape_[0] + 2 * l.pad, reach, l.stride),
                  windows(name, shape_[1] + 2 * l.pad, reach, l.stride), l.filters};
  const std::size_t begin = places();
  const ConvPlace place = conv_place(name, l, shape_[2]);
  return layer({name, kind_of(l), out, parameters_since(begin)}, [place](const LayerCall& call, const Var& x) {
    return activate(place.layer.activation, apply_conv(call, place, x));
  });
}

ClassifierBuilder& ClassifierBuilder::batch_norm(const std::string& name) {
  need_map(name);
  const std::size_t begin = places();
  const NormPlace place = norm_place(name, shape_[2]);
  return layer({name, "batch norm", shape_, parameters_since(begin)},
               [place](const LayerCall& call, const Var& x) { return apply_norm(call, place, x); });
}

ClassifierBuilder& ClassifierBuilder::response_norm(const std::string& name,
                                                    const autograd::ResponseNormOptions& options) {
  need_map(name);
  return layer({name, fmt::format("response norm over {} channels", options.channels), shape_, 0},
               [options](const LayerCall&, const Var& x) { return autograd::response_norm(x, options); });
}

ClassifierBuilder& ClassifierBuilder::max_pool(const std::string& name, std::int64_t window, std::int64_t stride) {
  need_map(name);
  const Shape out{windows(name, shape_[0], window, stride), windows(name, shape_[1], window, stride), shape_[2]};
  const autograd::PoolGeometry geometry{window, window, stride, stride};
  return layer({name, fmt::format("max-pool {}x{}, stride {}", window, window, stride), out, 0},
               [geometry](const LayerCall&, const Var& x) { return autograd::max_pool(x, geometry); });
}

ClassifierBuilder& ClassifierBuilder::average_pool(const std::string& name, std::int64_t window) {
  need_map(name);
  const Shape out{windows(name, shape_[0], window, window), windows(name, shape_[1], window, window), shape_[2]};
  const autograd::PoolGeometry geometry{window, window, window, window};
  return layer({name, fmt::format("average pool {}x{}", window, window), out, 0},
               [geometry](const LayerCall&, const Var& x) { return autograd::average_pool(x, geometry); });
}

ClassifierBuilder& ClassifierBuilder::adaptive_pool(const std::string& name, std::int64_t side) {
  need_map(name);
  const Shape out{std::min(shape_[0], side), std::min(shape_[1], side), shape_[2]};
  if (out == shape_) return *this;
  return layer({name, "adaptive average pool", out, 0},
               [out](const LayerCall&, const Var& x) { return autograd::adaptive_average_pool(x, out[0], out[1]); });
}

ClassifierBuilder& ClassifierBuilder::global_average(const std::string& name) {
  need_map(name);
  return layer({name, "global average pool", Shape{shape_[2]}, 0},
               [](const LayerCall&, const Var& x) { return autograd::global_average_pool(x); });
}

ClassifierBuilder& ClassifierBuilder::dropout(const std::string& name, double rate) {
  const double r = dropout_for_all_.value_or(rate);
  IL_CHECK(r >= 0 && r < 1, "{}: {} drops {} of the values; a rate in [0, 1) is needed", parts_.name, name, r);
  const auto which = static_cast<std::uint32_t>(parts_.layers.size());
  return layer({name, fmt::format("dropout {}", r), shape_, 0}, [r, which](const LayerCall& call, const Var& x) {
    if (call.pass.phase == Phase::kEvaluate) return x;
    autograd::DropoutAddress address = call.pass.dropout;
    address.task += which;
    return autograd::dropout(x, r, address);
  });
}

ClassifierBuilder& ClassifierBuilder::flatten() {
  need_map("flatten");
  const Shape out{shape_.numel()};
  return layer({"flatten", "flatten", out, 0}, [out](const LayerCall&, const Var& x) {
    return autograd::reshape(x, {x.shape()[0], x.shape()[1], out[0]});
  });
}

ClassifierBuilder& ClassifierBuilder::dense(const std::string& name, std::int64_t units, Activation activation) {
  IL_CHECK(shape_.rank() == 1, "{}: {} needs a list of features and finds {}", parts_.name, name, shape_.to_string());
  const std::size_t begin = places();
  const Start start = activation == Activation::kRelu ? Start::kHe : Start::kGlorot;
  const std::size_t weight = parameter(name + ".weight", {shape_[0], units}, start, static_cast<double>(shape_[0]),
                                       static_cast<double>(units));
  const std::size_t bias = parameter(name + ".bias", {units}, Start::kZero);
  return layer({name, fmt::format("dense {}", units), Shape{units}, parameters_since(begin)},
               [=](const LayerCall& call, const Var& x) {
                 return activate(activation, autograd::linear(x, call.params[weight], call.params[bias]));
               });
}

namespace {

/// [T, N, H, W, C] as the sequence [T, N, H W, C].
Var as_sequence(const Var& x) {
  const Shape& s = x.shape();
  return autograd::reshape(x, {s[0], s[1], s[2] * s[3], s[4]});
}

struct CellPlace {
  std::size_t input, recurrent, bias;
  autograd::RecurrentWeights weights(const LayerCall& call) const {
    return {call.params[input], call.params[recurrent], call.params[bias]};
  }
};

CellPlace cell_place(ClassifierBuilder& builder, const std::string& name, std::int64_t features, std::int64_t units,
                     Start bias) {
  const auto f = static_cast<double>(features), u = static_cast<double>(units);
  const std::size_t input = builder.parameter(name + ".input", {features, units}, Start::kGlorot, f, u);
  const std::size_t recurrent = builder.parameter(name + ".recurrent", {units, units}, Start::kGlorot, u, u);
  return {input, recurrent, builder.parameter(name + ".bias", {units}, bias)};
}

}  // namespace

ClassifierBuilder& ClassifierBuilder::lstm(const std::string& name, std::int64_t units) {
  need_map(name);
  const std::size_t begin = places();
  std::array<CellPlace, 4> gates{};
  // A forget gate that begins open (bias 1) lets gradients reach the first steps: Jozefowicz et al., ICML 2015.
  const std::pair<const char*, Start> kinds[] = {{"input_gate", Start::kZero},
                                                 {"forget_gate", Start::kOne},
                                                 {"cell", Start::kZero},
                                                 {"output_gate", Start::kZero}};
  for (std::size_t g = 0; g < 4; ++g)
    gates[g] = cell_place(*this, name + "." + kinds[g].first, shape_[2], units, kinds[g].second);
  return layer(
      {name, fmt::format("LSTM {} over {} steps", units, shape_[0] * shape_[1]), Shape{units}, parameters_since(begin)},
      [gates](const LayerCall& call, const Var& x) {
        autograd::LstmWeights w;
        for (std::size_t g = 0; g < 4; ++g) w[g] = gates[g].weights(call);
        return autograd::lstm(as_sequence(x), w);
      });
}

ClassifierBuilder& ClassifierBuilder::recurrent(const std::string& name, std::int64_t units) {
  need_map(name);
  const std::size_t begin = places();
  const CellPlace cell = cell_place(*this, name, shape_[2], units, Start::kZero);
  return layer(
      {name, fmt::format("recurrent {} over {} steps", units, shape_[0] * shape_[1]), Shape{units},
       parameters_since(begin)},
      [cell](const LayerCall& call, const Var& x) { return autograd::recurrent(as_sequence(x), cell.weights(call)); });
}

Classifier ClassifierBuilder::output() {
  parts_.layers.push_back({"features", [](const LayerCall& call, const Var& x) {
                             call.out.features = x;
                             return x;
                           }});
  dense("output", parts_.ways, Activation::kNone);
  return Classifier(std::move(parts_));
}

}  // namespace innerloop::nn
