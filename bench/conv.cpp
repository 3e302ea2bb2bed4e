// Convolutions on one thread, in the shapes of the workloads: forward, input gradient and weight gradient, each with one pair
// of operands and with two, which is the second order. Border taps count as work, as in every published figure.
#include <fmt/core.h>

#include <algorithm>
#include <vector>

#include "bench/measure.h"
#include "kernels/conv.h"

namespace innerloop::bench {
namespace {

using kernels::ConvForward, kernels::ConvInputGrad, kernels::ConvWeightGrad;

struct Layer {
  const char* name;
  std::int64_t n, size, c, k;
  std::int64_t stride = 1, filter = 3, groups = 1, dilation = 1;
};

constexpr Layer kLayers[] = {
    {"omniglot/5/l1", 5, 28, 1, 64},          {"omniglot/5/l2", 5, 14, 64, 64},
    {"omniglot/5/l3", 5, 7, 64, 64},          {"omniglot/5/l4", 5, 3, 64, 64},
    {"omniglot/75/l1", 75, 28, 1, 64},        {"omniglot/75/l2", 75, 14, 64, 64},
    {"miniimagenet/25/l1", 25, 84, 3, 32},    {"miniimagenet/25/l2", 25, 42, 32, 32},
    {"miniimagenet/25/l3", 25, 21, 32, 32},   {"miniimagenet/25/l4", 25, 10, 32, 32},
    {"xray/3/l1", 3, 500, 1, 16},             {"xray/3/l2", 3, 250, 16, 32},
    {"xray/3/l3", 3, 125, 32, 64},            {"xray/3/l4", 3, 62, 64, 64},
    {"xray_strided/3/l1", 3, 500, 1, 128, 2}, {"xray_strided/3/l2", 3, 250, 128, 64, 2},
    {"xray_strided/3/l3", 3, 125, 64, 64, 2}, {"xray_strided/3/l4", 3, 63, 64, 64, 2},
    {"alexnet/2/l1", 2, 224, 3, 64, 4, 11},   {"filter5/2", 2, 27, 64, 192, 1, 5},
    {"depthwise/2", 2, 56, 128, 128, 1, 3, 128}, {"depthwise_dilated/2", 2, 56, 128, 128, 1, 3, 128, 2},
};

enum class Direction { kForward, kInputGrad, kWeightGrad };

kernels::ConvGeometry geometry_of(const Layer& layer, std::int64_t out) {
  kernels::ConvGeometry g;
  g.stride_h = g.stride_w = layer.stride;
  g.dilation_h = g.dilation_w = layer.dilation;
  g.groups = layer.groups;
  // SAME: the output covers the image, an odd pixel of padding goes to the end.
  const std::int64_t reach = (out - 1) * layer.stride + (layer.filter - 1) * layer.dilation + 1;
  g.pad_top = g.pad_left = std::max<std::int64_t>(0, reach - layer.size) / 2;
  return g;
}

void run_layer(benchmark::State& state, Context& context, const Layer& layer, Direction direction, int pairs,
               DType dtype) {
  const std::int64_t out = (layer.size + layer.stride - 1) / layer.stride;
  const kernels::ConvGeometry g = geometry_of(layer, out);
  const Shape x{1, layer.n, layer.size, layer.size, layer.c};
  const Shape w{1, layer.filter, layer.filter, layer.c / layer.groups, layer.k};
  const Shape y{1, layer.n, out, out, layer.k};
  std::vector<Tensor> memory;
  const auto view = [&](const Shape& shape) {
    memory.push_back(random_tensor(shape, static_cast<unsigned>(memory.size()), dtype));
    return memory.back().mutable_view();
  };
  const auto operands = [&](const Shape& shape, ConstView (&views)[2]) {
    for (int i = 0; i < pairs; ++i) views[i] = view(shape);
  };
  switch (direction) {
    case Direction::kForward: {
      ConvForward op{g, {}, {}, view(y)};
      operands(x, op.x), operands(w, op.w);
      return measure(state, context, op);
    }
    case Direction::kInputGrad: {
      ConvInputGrad op{g, {}, {}, view(x)};
      operands(y, op.gy), operands(w, op.w);
      return measure(state, context, op);
    }
    case Direction::kWeightGrad: {
      ConvWeightGrad op{g, {}, {}, view(w)};
      operands(x, op.x), operands(y, op.gy);
      return measure(state, context, op);
    }
  }
}

void register_all() {
  constexpr struct {
    const char* name;
    Direction direction;
    int pairs;
  } kKinds[] = {{"forward", Direction::kForward, 1},         {"forward_dual", Direction::kForward, 2},
                {"input_grad", Direction::kInputGrad, 1},    {"input_grad_dual", Direction::kInputGrad, 2},
                {"weight_grad", Direction::kWeightGrad, 1},  {"weight_grad_dual", Direction::kWeightGrad, 2}};
  for (const Layer& layer : kLayers) {
    for (const auto& kind : kKinds) {
      if (layer.c <= 3 && kind.direction == Direction::kInputGrad) continue;  // nobody asks for the images' gradient
      for (const DType dtype : {DType::kF32, DType::kF64}) {
        if (dtype == DType::kF64 && (layer.n > 5 || layer.size > 100)) continue;
        add(fmt::format("{}/{}/{}", layer.name, kind.name, name_of(dtype)),
            [=](benchmark::State& state, Context& context) {
              run_layer(state, context, layer, kind.direction, kind.pairs, dtype);
            });
      }
    }
  }
}

[[maybe_unused]] const bool registered = (register_all(), true);

}  // namespace
}  // namespace innerloop::bench
