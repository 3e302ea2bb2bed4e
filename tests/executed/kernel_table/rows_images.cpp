// First blocks without y: the moments of the images' patches, and the four kernels that live on the pooled grid. Lines of channels and
// the moments, read by every block, are left out of account.
#include "kernels/conv_block.h"
#include "layers.h"
#include "traffic_row.h"

namespace innerloop::executed {
namespace {

void add_block(TrafficTable& table, const Layer& layer) {
  const Shape pooled = layer.y().with(2, layer.side / 2).with(3, layer.side / 2), line{layer.tasks, layer.filters};
  const kernels::ConvGeometry geometry{.pad_top = 1, .pad_left = 1};
  const ConstView no_y{nullptr, DType::kF32, layer.y()};
  const Tensor x = ones(layer.x()), w = ones(layer.w()), one = ones(line), gp = ones(pooled);
  Tensor moments = Tensor::empty(kernels::moments_shape(layer.x(), layer.w()), DType::kF64);
  Tensor p = ones(pooled), choice = Tensor::zeros(pooled, DType::kU8), gw = ones(layer.w());
  Tensor mean = ones(line), rstd = ones(line), ggamma = ones(line), gbeta = ones(line), tmean = ones(line), trstd = ones(line);
  Tensor tggamma = ones(line), tgbeta = ones(line);
  table.add("patch_moments", layer.conv_text(), bytes({&x, &moments}),
            kernels::PatchMoments{geometry, layer.w(), layer.y(), x.view(), moments.mutable_view()});

  kernels::ConvBlockForward forward;
  forward.geometry = geometry;
  forward.x = x.view(), forward.w = w.view(), forward.gamma = one.view(), forward.beta = one.view();
  forward.y = {nullptr, DType::kF32, layer.y()}, forward.moments = moments.view();
  forward.mean = mean.mutable_view(), forward.rstd = rstd.mutable_view();
  forward.p = p.mutable_view(), forward.choice = choice.mutable_view();
  table.add("conv_block of images", layer.conv_text(), bytes({&x, &w, &p, &choice}), forward);

  kernels::ConvBlockGrad grad;
  grad.geometry = geometry;
  grad.x = x.view(), grad.w = w.view(), grad.gamma = one.view(), grad.y = no_y, grad.moments = moments.view();
  grad.mean = mean.view(), grad.rstd = rstd.view(), grad.choice = choice.view(), grad.gp = gp.view();
  grad.gw = gw.mutable_view(), grad.ggamma = ggamma.mutable_view(), grad.gbeta = gbeta.mutable_view();
  table.add("conv_block_grad of images", layer.conv_text(), bytes({&x, &w, &choice, &gp, &gw}), grad);

  kernels::ConvBlockJvp tangent;
  tangent.geometry = geometry;
  tangent.x = x.view(), tangent.w = w.view(), tangent.gamma = one.view(), tangent.y = no_y;
  tangent.moments = moments.view();
  tangent.mean = mean.view(), tangent.rstd = rstd.view(), tangent.choice = choice.view();
  tangent.tw = w.view(), tangent.tgamma = one.view(), tangent.tbeta = one.view();
  tangent.ty = {nullptr, DType::kF32, layer.y()}, tangent.tp = p.mutable_view();
  tangent.tmean = tmean.mutable_view(), tangent.trstd = trstd.mutable_view();
  table.add("conv_block_jvp of images", layer.conv_text(), bytes({&x, &w, &w, &choice, &p}), tangent);

  kernels::ConvBlockGradJvp second;
  second.geometry = geometry;
  second.x = x.view(), second.w = w.view(), second.gamma = one.view(), second.y = no_y, second.moments = moments.view();
  second.mean = mean.view(), second.rstd = rstd.view(), second.choice = choice.view(), second.gp = gp.view();
  second.ggamma = ggamma.view(), second.gbeta = gbeta.view();
  second.tw = w.view(), second.tgamma = one.view(), second.ty = no_y;
  second.tmean = tmean.view(), second.trstd = trstd.view(), second.tgp = gp.view();
  second.tgw = gw.mutable_view(), second.tggamma = tggamma.mutable_view(), second.tgbeta = tgbeta.mutable_view();
  table.add("conv_block_grad_jvp of images", layer.conv_text(), bytes({&x, &w, &w, &choice, &gp, &gp, &gw}), second);
}

}  // namespace

void add_images(TrafficTable& table) {
  for (const Layer& layer : kLayers)
    if (layer.number == 1) add_block(table, layer);
}

}  // namespace innerloop::executed
