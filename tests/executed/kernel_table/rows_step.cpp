// A step of the inner loop in a conv block, beside the gradient that it is made of: what the step costs there, against sgd_list. And that
// gradient and its tangent where the convolutions' loaders make gy (kernels/cuda/conv_made.h), beside the same with gy stored.
#include "kernels/inner_step.h"
#include "kernels/cuda/conv_made.h"
#include "layers.h"
#include "tests/executed/math_scope.h"
#include "traffic_row.h"

namespace innerloop::executed {
namespace {

namespace cuda = kernels::cuda;

enum class Rows { kGradientAndStep, kStoredAndMade };

void add_block(TrafficTable& table, const Layer& layer, Rows rows) {
  const kernels::StagesScope stages(layer.staged());
  const Shape pooled = layer.y().with(2, layer.side / 2).with(3, layer.side / 2), line{layer.tasks, layer.filters};
  const Tensor x = ones(layer.x()), w = ones(layer.w()), y = ones(layer.y()), gp = ones(pooled), chosen = ones(pooled), one = ones(line);
  const Tensor choice = Tensor::zeros(pooled, DType::kU8);
  Tensor gx = ones(layer.x()), gw = ones(layer.w()), ggamma = ones(line), gbeta = ones(line), gamma = ones(line), beta = ones(line);
  kernels::ConvBlockGrad grad;
  grad.geometry = {.pad_top = 1, .pad_left = 1};
  grad.x = x.view(), grad.w = w.view(), grad.gamma = one.view(), grad.y = y.view(), grad.mean = one.view();
  grad.rstd = one.view(), grad.choice = choice.view(), grad.gp = gp.view(), grad.chosen = chosen.view();
  grad.gx = gx.mutable_view(), grad.gw = gw.mutable_view();
  grad.ggamma = ggamma.mutable_view(), grad.gbeta = gbeta.mutable_view();
  const std::uint64_t needed = bytes({&x, &w, &y, &choice, &gp, &chosen, &gx, &gw, &one, &one, &one, &ggamma, &gbeta});
  table.add("conv_block_grad", layer.conv_text(), needed, grad);
  if (rows == Rows::kStoredAndMade) {
    const Tensor tx = ones(layer.x()), tw = ones(layer.w()), ty = ones(layer.y()), tgp = ones(pooled), tchosen = ones(pooled);
    kernels::ConvBlockGradJvp tangent;
    tangent.geometry = grad.geometry;
    tangent.x = grad.x, tangent.w = grad.w, tangent.gamma = grad.gamma, tangent.y = grad.y, tangent.mean = grad.mean;
    tangent.rstd = grad.rstd, tangent.choice = grad.choice, tangent.gp = grad.gp, tangent.ggamma = ggamma.view();
    tangent.gbeta = gbeta.view(), tangent.tx = tx.view(), tangent.tw = tw.view(), tangent.tgamma = one.view(), tangent.ty = ty.view();
    tangent.tmean = one.view(), tangent.trstd = one.view(), tangent.tgp = tgp.view();
    tangent.tgx = gx.mutable_view(), tangent.tgw = gw.mutable_view();
    tangent.tggamma = gamma.mutable_view(), tangent.tgbeta = beta.mutable_view();
    tangent.chosen = chosen.view(), tangent.tchosen = tchosen.view();
    const std::uint64_t needed_too = needed + bytes({&tx, &tw, &ty, &tgp, &tchosen, &one, &one, &one, &gamma, &beta});
    table.add("conv_block_grad_jvp", layer.conv_text(), needed_too, tangent);
    const std::int64_t saved = cuda::least_made_elements();
    cuda::set_least_made_elements(1);
    table.add("conv_block_grad, gy made", layer.conv_text(), needed, grad);
    table.add("conv_block_grad_jvp, gy made", layer.conv_text(), needed_too, tangent);
    cuda::set_least_made_elements(saved);
    return;
  }
  table.add("conv_block_step", layer.conv_text(), needed + bytes({&one, &gamma, &beta}),
            kernels::ConvBlockStep{grad, 0.1, one.view(), gamma.mutable_view(), beta.mutable_view()});
}

}  // namespace

void add_steps(TrafficTable& table) {
  for (const Layer& layer : kLayers)
    if (layer.workload == "W1" && layer.number > 1) add_block(table, layer, Rows::kGradientAndStep);
  for (const Layer& layer : kLayers)
    if (layer.name() == "W2.2" || layer.name() == "W3.2" || layer.name() == "W3.3") add_block(table, layer, Rows::kStoredAndMade);
}

}  // namespace innerloop::executed
