// The norm's gradients that take a step with themselves (kernels/inner_step.h).
#pragma once

#include "kernels/norm.h"

namespace innerloop::kernels::cuda {

/// next = from - rate * gradient, for scale and shift, all [T, K]; a `next` that is absent is not wanted.
struct NormStep {
  double rate = 0;
  ConstView gamma, beta;
  View next_gamma, next_beta;
};

inline KernelCost cost_of(const NormStep& s) {
  return {2 * (elements_of(s.next_gamma) + elements_of(s.next_beta)), bytes_of(s.beta, s.next_gamma, s.next_beta)};
}

// Kernels of their own, so that a profile tells them from the convolutions beside them.

struct NormGradStep {
  static constexpr std::string_view kName = "norm_relu_pool_grad_step";
  NormReluPoolGrad grad;
  NormStep step;
};
inline KernelCost cost_of(const NormGradStep& k) { return cost_of(k.grad) + cost_of(k.step); }

/// grad.tggamma and grad.tgbeta may be absent here.
struct NormGradJvpStep {
  static constexpr std::string_view kName = "norm_relu_pool_grad_jvp_step";
  NormReluPoolGradJvp grad;
  NormStep step;
};
inline KernelCost cost_of(const NormGradJvpStep& k) { return cost_of(k.grad) + cost_of(k.step); }

}  // namespace innerloop::kernels::cuda
