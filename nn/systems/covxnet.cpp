#include "nn/systems/covxnet.h"

#include <fmt/format.h>

#include "autograd/ops/conv.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/pool.h"
#include "autograd/ops/reduce.h"
#include "nn/systems/nets.h"

namespace innerloop::nn {
namespace {

enum class Unit { kResidual, kShifter };

struct Branch {
  ConvPlace depthwise;
  NormPlace norm;
  std::size_t join;  ///< the branch's part of the joining 1x1 convolution's weight
};

struct UnitPlaces {
  ConvPlace widen;
  NormPlace widen_norm;
  std::vector<Branch> branches;
  std::size_t join_bias;
  NormPlace join_norm;
};

UnitPlaces unit_places(ClassifierBuilder& net, const std::string& name, std::int64_t in, std::int64_t inner,
                       std::int64_t out, std::int64_t dilations) {
  UnitPlaces u{net.conv_place(name + ".widen", {.filters = inner, .kernel = 1}, in),
               net.norm_place(name + ".widen.norm", inner),
               {},
               0,
               {}};
  for (std::int64_t d = 1; d <= dilations; ++d) {
    const std::string branch = fmt::format("{}.dilation{}", name, d);
    const ConvLayer depthwise{.filters = inner, .kernel = 3, .pad = d, .groups = inner, .dilation = d};
    const ConvPlace place = net.conv_place(branch, depthwise, inner);
    const NormPlace norm = net.norm_place(branch + ".norm", inner);
    // The fan is that of the whole joint, of which this is a part.
    const std::size_t join = net.parameter(branch + ".join", {1, 1, inner, out}, Start::kHe,
                                           static_cast<double>(inner * dilations), static_cast<double>(out));
    u.branches.push_back({place, norm, join});
  }
  u.join_bias = net.parameter(name + ".join.bias", {out}, Start::kZero);
  u.join_norm = net.norm_place(name + ".join.norm", out);
  return u;
}

Var apply_unit(const UnitPlaces& u, Unit kind, const LayerCall& call, const Var& x) {
  using namespace autograd;
  const Var wide = apply_norm(call, u.widen_norm, relu(apply_conv(call, u.widen, x)));
  Var joined;
  for (const Branch& b : u.branches) {
    Var y = relu(apply_conv(call, b.depthwise, wide));
    if (kind == Unit::kShifter) y = max_pool(y, {});
    const Var part = conv(apply_norm(call, b.norm, y), call.params[b.join], {});
    joined = joined.defined() ? joined + part : part;
  }
  const Var& bias = call.params[u.join_bias];
  const Var y = apply_norm(call, u.join_norm, relu(joined + reshape(bias, {1, 1, 1, 1, bias.shape()[1]})));
  return kind == Unit::kResidual ? y + x : y;
}

void add_unit(ClassifierBuilder& net, const std::string& name, Unit kind, std::int64_t inner, std::int64_t out,
              std::int64_t dilations) {
  const Shape in = net.shape();
  const bool shifts = kind == Unit::kShifter;
  IL_CHECK(!shifts || (in[0] >= 2 && in[1] >= 2), "CovXNet: the image is used up at {}; raise data.size", name);
  const std::size_t begin = net.places();
  const UnitPlaces places = unit_places(net, name, in[2], inner, out, dilations);
  const Shape shape{shifts ? in[0] / 2 : in[0], shifts ? in[1] / 2 : in[1], out};
  net.layer({name,
             fmt::format("{} unit, {} to {} to {}, dilations 1 to {}", shifts ? "shifter" : "residual", in[2], inner,
                         out, dilations),
             shape, net.parameters_since(begin)},
            [places, kind](const LayerCall& call, const Var& x) { return apply_unit(places, kind, call, x); });
}

struct Variant {
  std::int64_t dilations, depth;
};

Variant variant_of(std::int64_t side) {
  if (side < 48) return {3, 5};
  if (side < 96) return {4, 5};
  if (side < 192) return {5, 5};
  return {6, 2};
}

}  // namespace

Classifier covxnet(const SystemOptions& o) {
  auto net = builder_of(o, "CovXNet", "Mahmud, Rahman, Fattah, Computers in Biology and Medicine 122:103869, 2020");
  const auto [dilations, depth] = variant_of(o.side);
  net.conv("stem1", {.filters = widened(o, 16), .kernel = 5, .pad = 2}).batch_norm("stem1.norm");
  net.conv("stem2", {.filters = widened(o, 32), .stride = 2, .pad = 1}).batch_norm("stem2.norm");
  std::int64_t channels = widened(o, 32);
  int stage = 0;
  for (std::int64_t d = dilations; d >= 2; --d) {
    ++stage;
    for (std::int64_t i = 1; i <= depth; ++i)
      add_unit(net, fmt::format("stage{}.residual{}", stage, i), Unit::kResidual, 2 * channels, channels, d);
    if (d == 2) break;
    add_unit(net, fmt::format("stage{}.shifter", stage), Unit::kShifter, 4 * channels, 2 * channels, d);
    channels *= 2;
  }
  net.global_average("average").dense("fc", widened(o, 64), Activation::kRelu);
  return net.output();
}

}  // namespace innerloop::nn
