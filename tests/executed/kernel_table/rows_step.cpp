// A step of the inner loop in a conv block, beside the gradient that it is made of: what the step costs there, against sgd_list.
#include "kernels/inner_step.h"
#include "layers.h"
#include "traffic_row.h"

namespace innerloop::executed {
namespace {

Tensor ones(const Shape& shape) { return Tensor::full(shape, DType::kF32, 1); }

void add_block(TrafficTable& table, const Layer& layer) {
  const Shape pooled = layer.y().with(2, layer.side / 2).with(3, layer.side / 2), line{layer.tasks, layer.filters};
  const Tensor x = ones(layer.x()), w = ones(layer.w()), y = ones(layer.y()), gp = ones(pooled), one = ones(line);
  const Tensor choice = Tensor::zeros(pooled, DType::kU8);
  Tensor gx = ones(layer.x()), gw = ones(layer.w()), ggamma = ones(line), gbeta = ones(line), gamma = ones(line), beta = ones(line);
  kernels::ConvBlockGrad grad;
  grad.geometry = {.pad_top = 1, .pad_left = 1};
  grad.x = x.view(), grad.w = w.view(), grad.gamma = one.view(), grad.y = y.view(), grad.mean = one.view();
  grad.rstd = one.view(), grad.choice = choice.view(), grad.gp = gp.view();
  grad.gx = gx.mutable_view(), grad.gw = gw.mutable_view();
  grad.ggamma = ggamma.mutable_view(), grad.gbeta = gbeta.mutable_view();
  const std::uint64_t needed = bytes({&x, &w, &y, &choice, &gp, &gx, &gw, &one, &one, &one, &ggamma, &gbeta});
  table.add("conv_block_grad", layer.conv_text(), needed, grad);
  table.add("conv_block_step", layer.conv_text(), needed + bytes({&one, &gamma, &beta}),
            kernels::ConvBlockStep{grad, 0.1, one.view(), gamma.mutable_view(), beta.mutable_view()});
}

}  // namespace

void add_steps(TrafficTable& table) {
  for (const Layer& layer : kLayers)
    if (layer.workload == "W1" && layer.number > 1) add_block(table, layer);
}

}  // namespace innerloop::executed
