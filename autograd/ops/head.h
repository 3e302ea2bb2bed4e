// The head of a network with its loss: linear and softmax cross-entropy together, and the gradient of that as an output.
//
// A step of learning needs the loss and the gradient, and the meta-gradient the tangent of the gradient: as one op these are one
// kernel and one kernel, where the chain of ops that it stands for is eight and ten. The derivative of everything below the head
// goes on from gx: vjp({features}, {gx}, parameters).
#pragma once

#include <string_view>

#include "autograd/var.h"
#include "kernels/head.h"

namespace innerloop::autograd {

using kernels::LossReduction;

struct HeadLossResult {
  Tensor loss;        ///< [T], a value: derivatives go on from the three below
  Var gx, gw, gbias;  ///< the loss's derivatives, in the shapes of x, w and bias
  Tensor accuracy;    ///< f64 [T]; undefined unless asked for
};

enum class HeadFigures : std::uint8_t { kLoss, kLossAndAccuracy };

/// x [T, N, F], w [T, F, C], bias [T, C]; labels i64 [T, N] in [0, C). Formulas and determinism: kernels/head.h.
HeadLossResult head_loss(const Var& x, const Var& w, const Var& bias, const Tensor& labels, LossReduction reduction,
                         HeadFigures figures = HeadFigures::kLoss);

/// Throws, naming the op, when these are not the operands of a head.
void check_head(std::string_view op, const Var& x, const Var& w, const Var& bias, const Tensor& labels);

}  // namespace innerloop::autograd
