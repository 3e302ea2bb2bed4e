// Our own weight gradient that takes a step with itself (kernels/inner_step.h).
#pragma once

#include "kernels/conv_block.h"
#include "kernels/cuda/conv_own.h"

namespace innerloop::kernels::cuda {

/// With `from`, of the gradient's shape and dtype: from - rate * gradient is written in the gradient's place.
struct WeightStep {
  ConstView from{};
  double rate = 0;
};

/// Bytes: the parameters, which a weight gradient does not read itself. (An input gradient does.)
inline KernelCost cost_of(const WeightStep& s) { return {2 * elements_of(s.from), bytes_of(s.from)}; }

// Kernels of their own, so that a profile tells them from the norm beside them.

struct ConvWeightGradStep {
  static constexpr std::string_view kName = "conv_weight_grad_step";
  ConvWeightGrad grad;
  WeightStep step;
};
inline KernelCost cost_of(const ConvWeightGradStep& k) { return cost_of(k.grad) + cost_of(k.step); }

/// Both gradients of a convolution, in one launch where that can be.
struct ConvGradsStep {
  static constexpr std::string_view kName = "conv_grads_step";
  ConvGrads grads;
  WeightStep step;
};
inline KernelCost cost_of(const ConvGradsStep& k) { return cost_of(k.grads) + KernelCost{2 * elements_of(k.step.from), 0}; }

void conv_own(const ConvWeightGrad& op, const WeightStep& step, ConvMath math, Context& context);

}  // namespace innerloop::kernels::cuda
