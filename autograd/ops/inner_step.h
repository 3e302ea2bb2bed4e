// A step of the inner loop as ops: the parameters after one SGD step along the gradient of the layer that has them.
//
//   p' = p - rate dL/dp
//
// The gradient itself is not an output, so a target need not write it down (kernels/inner_step.h). The step is differentiable: its
// tangent along lambda is lambda - rate H lambda, all that the meta-gradient needs of it. Each op states its reference; derivatives
// beyond the fused tangent go through it.
#pragma once

#include "autograd/ops/conv_block.h"
#include "autograd/ops/head.h"

namespace innerloop::autograd {

struct ConvBlockStepResult {
  Var gx;              ///< the cotangent of x; undefined unless wanted
  Var w, gamma, beta;  ///< after the step; gamma is undefined where the block has none
};

/// `block`: what conv_block(x, w, gamma, beta, options) returned; gp: the cotangent of its p. w, gamma and beta have the task extent of x.
ConvBlockStepResult conv_block_step(const Var& x, const Var& w, const Var& gamma, const Var& beta, const ConvBlockResult& block,
                                    const Var& gp, const ConvBlockOptions& options, double rate, InputGradient input);

struct HeadStepResult {
  Tensor loss;  ///< [T], a value
  Var gx;       ///< the cotangent of x
  Var w, bias;  ///< after the step
};

/// Operands as head_loss() takes them.
HeadStepResult head_step(const Var& x, const Var& w, const Var& bias, const Tensor& labels, LossReduction reduction, double rate);

}  // namespace innerloop::autograd
