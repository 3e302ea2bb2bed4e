// Gradients of a convolution whose gy is not stored: the loaders of conv_spatial.h make it, and tgy, where they need it, from what the
// norm's gradient is a map of (kernels/norm.h). The norm's kernel is left with its sums, and y is read where gy would be.
//
//   gy  = A gz + X (y - mean) + C
//   tgy = P gz + A tgz + D (y - mean) + X (ty - tmean) + E
//
// with gz the cotangent gp at its window's chosen pixel, 0 elsewhere, and tgz likewise. Constants [T, 4, K] are mean, A, X, C of each
// channel; with the tangent [T, 8, K], behind them tmean, P, D, E. float32; a value has the bits that the norm's kernel would give it.
#pragma once

#include "kernels/cuda/conv_step.h"
#include "kernels/cuda/norm_step.h"

namespace innerloop::kernels::cuda {

inline constexpr std::int64_t kGradLines = 4, kTangentGradLines = 8;

struct MadeGradient {
  Pool pool = Pool::kMax2x2;
  ConstView y, gp, choice, constants;
  ConstView ty = {}, tgp = {};  ///< of tgy; each may be absent (zero)

  bool tangent() const { return constants.shape[1] == kTangentGradLines; }
};

/// gx and gw of a block, gx may be absent. Without a tangent gx = D(gy, w) and gw = W(x, gy); with one gx = D(tgy, w) + D(gy, tw) and
/// gw = W(x, tgy) + W(tx, gy), where tw and tx may be absent. A step is taken by gw.
struct ConvGradsMade {
  static constexpr std::string_view kName = "conv_grads_made";
  ConvGeometry geometry;
  MadeGradient gy;
  ConstView x, w;
  ConstView tx, tw;
  View gx, gw;
  WeightStep step;
};
KernelCost cost_of(const ConvGradsMade& k);

/// Whether the loaders can make gy for both gradients, on operands that fit each other.
bool suits_made(const ConvGradsMade& k, ConvMath math);

/// Elements of a task's y from which making gy pays: maps that the second-level cache does not keep between kernels. With fewer, reading
/// a stored gy is less than making it again for each 16 input channels. By the shape of one task, since it shows in the bits. Tests lower it.
std::int64_t least_made_elements();
void set_least_made_elements(std::int64_t elements);

/// Whether both gradients share a block, and its gy, where that can be (conv_spatial.h): what set_one_block() said last, else
/// IL_CUDA_ONE_BLOCK = on | off, else on. Off takes a launch for each; the bits of sums over pixels are others.
bool one_block();
void set_one_block(bool on);

/// Runs a block's gradient, or its tangent, in this way where that can be and pays; false where not. With steps k.gw, or k.tgw, takes the weights
/// after theirs, and norm says where the others go.
bool run_made(const ConvBlockGrad& k, const WeightStep& weight, const NormStep& norm, Context& context);
bool run_made(const ConvBlockGradJvp& k, const WeightStep& weight, const NormStep& norm, Context& context);

/// The sums of the norm's gradient alone, with their step: ggamma, gbeta, and the constants. grad.gy is absent.
struct NormGradSums {
  static constexpr std::string_view kName = "norm_relu_pool_grad_sums";
  NormReluPoolGrad grad;
  NormStep step;
  View constants;  ///< [T, kGradLines, K]
};
inline KernelCost cost_of(const NormGradSums& k) {
  const ConstView& y = k.grad.chosen ? k.grad.chosen : k.grad.y;
  return {5 * elements_of(k.grad.gp), bytes_of(y, k.grad.mean, k.grad.rstd, k.grad.gamma, k.grad.choice, k.grad.gp) +
                                          bytes_of(k.grad.ggamma, k.grad.gbeta, k.constants) + cost_of(k.step).bytes};
}

/// The same of its tangent. grad.gy and grad.tgy are absent, and grad.tggamma and grad.tgbeta may be.
struct NormGradJvpSums {
  static constexpr std::string_view kName = "norm_relu_pool_grad_jvp_sums";
  NormReluPoolGradJvp grad;
  NormStep step;
  View constants;  ///< [T, kTangentGradLines, K]
};
inline KernelCost cost_of(const NormGradJvpSums& k) {
  const ConstView& y = k.grad.chosen ? k.grad.chosen : k.grad.y;
  const ConstView& ty = k.grad.tchosen ? k.grad.tchosen : k.grad.ty;
  return {12 * elements_of(k.grad.gp),
          bytes_of(y, ty, k.grad.mean, k.grad.rstd, k.grad.gamma, k.grad.choice, k.grad.gp, k.grad.tgp) +
              bytes_of(k.grad.tmean, k.grad.trstd, k.grad.tgamma, k.grad.tggamma, k.grad.tgbeta, k.constants) + cost_of(k.step).bytes};
}

}  // namespace innerloop::kernels::cuda
