// The kernels of a head with outputs of their own, as the ops of ops/head.cpp and ops/inner_step.cpp run them.
#pragma once

#include <span>

#include "autograd/ops/operands.h"
#include "kernels/head.h"

namespace innerloop::autograd {

/// in: x, w, bias. gw and gbias have the shapes of w and bias, so that what a step makes of these fits, too.
struct HeadCall {
  Tensor loss, prob, gx, gw, gbias;
  kernels::HeadLoss kernel;

  HeadCall(kernels::LossReduction reduction, const Tensor& labels, std::span<const Tensor> in)
      : loss(Tensor::empty({in[0].shape()[0]}, in[0].dtype())),
        prob(Tensor::empty({in[0].shape()[0], in[0].shape()[1], in[1].shape()[2]}, in[0].dtype())),
        gx(like(in[0])),
        gw(like(in[1])),
        gbias(like(in[2])),
        kernel{.reduction = reduction,
               .x = in[0].view(),
               .w = in[1].view(),
               .bias = in[2].view(),
               .labels = labels.view(),
               .loss = loss.mutable_view(),
               .prob = prob.mutable_view(),
               .gx = gx.mutable_view(),
               .gw = gw.mutable_view(),
               .gbias = gbias.mutable_view()} {}
};

/// in: x, w, bias, prob, then the tangents of x, w and bias, each of which may be absent.
struct HeadJvpCall {
  Tensor tgx, tgw, tgbias;
  kernels::HeadLossJvp kernel;

  HeadJvpCall(kernels::LossReduction reduction, const Tensor& labels, std::span<const Tensor> in)
      : tgx(like(in[0])),
        tgw(like(in[1])),
        tgbias(like(in[2])),
        kernel{.reduction = reduction,
               .x = in[0].view(),
               .w = in[1].view(),
               .prob = in[3].view(),
               .labels = labels.view(),
               .tx = view_or_none(in[4]),
               .tw = view_or_none(in[5]),
               .tbias = view_or_none(in[6]),
               .tgx = tgx.mutable_view(),
               .tgw = tgw.mutable_view(),
               .tgbias = tgbias.mutable_view()} {}
};

}  // namespace innerloop::autograd
