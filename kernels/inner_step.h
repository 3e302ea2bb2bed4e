// A step of the inner loop in the kernels that make its gradient. Where a gradient is wanted only to move the parameters along it,
// it is not written: what is written is the parameter after the step, and for the tangent of the step its tangent.
//
//   w' = w - rate gw          tw' = tw - rate tgw
//
// The second is lambda <- (I - rate H) lambda of the meta-gradient (meta/meta_gradient.h), since the Hessian is symmetric.
//
// Shapes: w' as w, and so on; every parameter has the task extent of the images. Dtypes, determinism, errors: those of the two
// families (kernels/conv_block.h, kernels/head.h). w' is rounded as if gw had been. Aliasing: none, since other blocks of the kernel
// still read the old parameters. Traffic, ideal: as the gradient's, and the parameters that it does not read itself.
//
// compose() is what every target can do: the gradient in scratch memory, then kernels/update_lists.h.
#pragma once

#include "kernels/conv_block.h"
#include "kernels/head.h"

namespace innerloop::kernels {

/// grad.gw takes w'. ggamma and gbeta stay gradients, which the tangent needs; gamma' and beta' have places of their own.
struct ConvBlockStep {
  static constexpr std::string_view kName = "conv_block_step";
  ConvBlockGrad grad;
  double rate = 0;
  ConstView beta;
  View next_gamma;  ///< absent where gamma is
  View next_beta;
};
inline KernelCost cost_of(const ConvBlockStep& k) {
  return cost_of(k.grad) + KernelCost{2 * (elements_of(k.grad.gw) + elements_of(k.next_gamma) + elements_of(k.next_beta)),
                                      bytes_of(k.beta, k.next_gamma, k.next_beta)};
}

/// grad.tgw takes tw', and tggamma and tgbeta take tgamma' and tbeta'; tggamma is absent where gamma is. tw and tbeta must be there,
/// and tgamma where gamma is.
struct ConvBlockStepJvp {
  static constexpr std::string_view kName = "conv_block_step_jvp";
  ConvBlockGradJvp grad;
  double rate = 0;
  ConstView tbeta;
};
inline KernelCost cost_of(const ConvBlockStepJvp& k) {
  return cost_of(k.grad) +
         KernelCost{2 * (elements_of(k.grad.tgw) + elements_of(k.grad.tggamma) + elements_of(k.grad.tgbeta)), bytes_of(k.tbeta)};
}

/// head.gw and head.gbias take w' and bias'.
struct HeadStep {
  static constexpr std::string_view kName = "head_step";
  HeadLoss head;
  double rate = 0;
};
inline KernelCost cost_of(const HeadStep& k) {
  return cost_of(k.head) + KernelCost{2 * (elements_of(k.head.gw) + elements_of(k.head.gbias)), 0};
}

/// head.tgw and head.tgbias take tw' and tbias'. tw and tbias must be there.
struct HeadStepJvp {
  static constexpr std::string_view kName = "head_step_jvp";
  HeadLossJvp head;
  double rate = 0;
};
inline KernelCost cost_of(const HeadStepJvp& k) {
  return cost_of(k.head) + KernelCost{2 * (elements_of(k.head.tgw) + elements_of(k.head.tgbias)), 0};
}

void compose(const ConvBlockStep& k, Context& context);
void compose(const ConvBlockStepJvp& k, Context& context);
void compose(const HeadStep& k, Context& context);
void compose(const HeadStepJvp& k, Context& context);

/// Throws, naming the operand, when a parameter or its tangent is missing or has another shape than what takes its place.
void check(const ConvBlockStep& k);
void check(const ConvBlockStepJvp& k);
void check(const HeadStep& k);
void check(const HeadStepJvp& k);

}  // namespace innerloop::kernels
