// Convolutions on one thread, in the shapes that meta-learning runs: GFLOP/s of forward, input gradient and weight
// gradient, with one pair of operands and with two. Border taps count as work, as in every published figure.
#include <benchmark/benchmark.h>

#include <vector>

#include "kernels/conv.h"
#include "tensor/tensor.h"

namespace innerloop::kernels {
namespace {

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

template <class T>
void run_layer(benchmark::State& state, const Layer& layer, Direction direction, int pairs) {
  Context context(1);
  ConvGeometry g;
  g.stride_h = g.stride_w = layer.stride;
  g.dilation_h = g.dilation_w = layer.dilation;
  g.groups = layer.groups;
  // SAME: the output covers the image, an odd pixel of padding goes to the end.
  const std::int64_t out = (layer.size + layer.stride - 1) / layer.stride;
  const std::int64_t reach = (out - 1) * layer.stride + (layer.filter - 1) * layer.dilation + 1;
  g.pad_top = g.pad_left = std::max<std::int64_t>(0, reach - layer.size) / 2;
  const Shape x{1, layer.n, layer.size, layer.size, layer.c};
  const Shape w{1, layer.filter, layer.filter, layer.c / layer.groups, layer.k};
  const Shape y{1, layer.n, out, out, layer.k};
  const ContextScope scope(context);
  std::vector<Tensor> memory;
  const auto view = [&](const Shape& shape) {
    memory.push_back(Tensor::empty(shape, DTypeOf<T>::value));
    const std::span<T> values = memory.back().template mutable_data<T>();
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = T(i * 2654435761u % 1024) / 512 - 1;
    return memory.back().mutable_view();
  };
  const auto operands = [&](const Shape& shape, ConstView (&views)[2]) {
    for (int i = 0; i < pairs; ++i) views[i] = view(shape);
  };
  const auto measure = [&](auto op) {
    run(op, context);
    for (auto _ : state) run(op, context);
  };
  switch (direction) {
    case Direction::kForward: {
      ConvForward op{g, {}, {}, view(y)};
      operands(x, op.x), operands(w, op.w);
      measure(op);
      break;
    }
    case Direction::kInputGrad: {
      ConvInputGrad op{g, {}, {}, view(x)};
      operands(y, op.gy), operands(w, op.w);
      measure(op);
      break;
    }
    case Direction::kWeightGrad: {
      ConvWeightGrad op{g, {}, {}, view(w)};
      operands(x, op.x), operands(y, op.gy);
      measure(op);
      break;
    }
  }
  const std::int64_t products = y.numel() * layer.filter * layer.filter * layer.c / layer.groups;
  const double flops = 2.0 * static_cast<double>(pairs * products);
  state.counters["GFLOP/s"] = benchmark::Counter(flops * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

void register_all() {
  const auto add = [](const char* kind, const Layer& layer, const char* type, auto body) {
    benchmark::RegisterBenchmark(fmt::format("{}/{}/{}", layer.name, kind, type).c_str(), body)
        ->Unit(benchmark::kMicrosecond);
  };
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
      const Direction direction = kind.direction;
      const int pairs = kind.pairs;
      add(kind.name, layer, "f32", [=](benchmark::State& s) { run_layer<float>(s, layer, direction, pairs); });
      if (layer.n > 5 || layer.size > 100) continue;
      add(kind.name, layer, "f64", [=](benchmark::State& s) { run_layer<double>(s, layer, direction, pairs); });
    }
  }
}

[[maybe_unused]] const bool registered = (register_all(), true);

}  // namespace
}  // namespace innerloop::kernels
