// Convolutions: each direction, alone and dual, in both of the modes that keep float32's error.
#include "kernels/conv.h"
#include "kernels/cuda/conv_own.h"
#include "layers.h"
#include "traffic_row.h"

namespace innerloop::executed {
namespace {

using kernels::ConvGeometry;
namespace cuda = kernels::cuda;

constexpr ConvGeometry kSame{.pad_top = 1, .pad_left = 1};

/// Both operand pairs and the output of one direction.
template <class K>
void add_direction(TrafficTable& table, const std::string& op, const Layer& layer, const Shape& a, const Shape& b,
                   const Shape& out, K (*make)(const ConstView* a, const ConstView* b, View out)) {
  const Tensor a0 = Tensor::full(a, DType::kF32, 1), a1 = Tensor::full(a, DType::kF32, 1);
  const Tensor b0 = Tensor::full(b, DType::kF32, 1), b1 = Tensor::full(b, DType::kF32, 1);
  Tensor o = Tensor::empty(out, DType::kF32);
  const ConstView one_a[2]{a0.view(), {}}, one_b[2]{b0.view(), {}};
  const ConstView two_a[2]{a0.view(), a1.view()}, two_b[2]{b0.view(), b1.view()};
  table.add(op, layer.conv_text(), bytes({&a0, &b0, &o}), make(one_a, one_b, o.mutable_view()));
  table.add(op + " dual", layer.conv_text(), bytes({&a0, &a1, &b0, &b1, &o}), make(two_a, two_b, o.mutable_view()));
}

void add_layer(TrafficTable& table, const Layer& layer, const std::string& mode) {
  using kernels::ConvForward, kernels::ConvInputGrad, kernels::ConvWeightGrad;
  add_direction<ConvForward>(table, "conv_forward " + mode, layer, layer.x(), layer.w(), layer.y(),
                             [](const ConstView* a, const ConstView* b, View out) {
                               return ConvForward{kSame, {a[0], a[1]}, {b[0], b[1]}, out};
                             });
  if (layer.number > 1)  // nobody asks for the gradient of images
    add_direction<ConvInputGrad>(table, "conv_input_grad " + mode, layer, layer.y(), layer.w(), layer.x(),
                                 [](const ConstView* a, const ConstView* b, View out) {
                                   return ConvInputGrad{kSame, {a[0], a[1]}, {b[0], b[1]}, out};
                                 });
  add_direction<ConvWeightGrad>(table, "conv_weight_grad " + mode, layer, layer.x(), layer.y(), layer.w(),
                                [](const ConstView* a, const ConstView* b, View out) {
                                  return ConvWeightGrad{kSame, {a[0], a[1]}, {b[0], b[1]}, out};
                                });
}

}  // namespace

void add_convolutions(TrafficTable& table) {
  const cuda::ConvMath saved = cuda::conv_math();
  for (const cuda::ConvMath math : {cuda::ConvMath::kFp32, cuda::ConvMath::kTf32x3}) {
    cuda::set_conv_math(math);
    for (const Layer& layer : kLayers) add_layer(table, layer, std::string(cuda::name_of(math)));
  }
  cuda::set_conv_math(saved);
}

}  // namespace innerloop::executed
