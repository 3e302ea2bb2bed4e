// Batch norm, ReLU and 2x2 max-pool in one pass: the part of a conv block that follows its convolution, with fused
// first- and second-order kernels.
//
// With M = N*H*W and everything per task t and channel k:
//   mean = sum y / M,  rstd = 1/sqrt(sum (y-mean)^2 / M + epsilon),  xhat = rstd (y - mean),  z = gamma xhat + beta
//   p = max over each window of relu(z)          (pool = none: p = relu(z))
// `choice` remembers the decisions: the window position 0..3 (row-major) of the maximum, ties to the first, or kDead
// where the maximum is not above zero (ReLU'(0) = 0). A NaN in z is passed on to p. Windows are 2x2 with stride 2; an
// odd last row or column enters the statistics but no window.
//
// What a gradient's sums read of y is its value at each window's chosen pixel (of a dead window, at some pixel). `chosen` keeps it beside y
// where keeps_chosen() says so, a quarter of y, and `tchosen` the same of ty; readers may be given it or not, with the same bits.
//
// Shapes: y, gy [T, N, H, W, K]; p, gp, choice, chosen [T, N, H', W', K] with H' = H/2 (floor) or H; mean, rstd, gbeta, ggamma
//   [T, K]; gamma, beta and their tangents [T|1, K]. gamma may be absent (scale 1); then ggamma must be absent too.
// Dtypes: f32 or f64; choice u8. Statistics and channel sums: float32 partials of a few dozen terms, joined in float64, in a
//   fixed order that follows from the shape of one task. Determinism: the same bits at any number of threads, and for a task
//   alone or beside others; other bits on other targets. Aliasing: none.
#pragma once

#include "kernels/kernel.h"

namespace innerloop::kernels {

enum class Pool : std::uint8_t { kNone, kMax2x2 };

inline constexpr std::uint8_t kDead = 4;

/// Whether kernels of `target` write `chosen` and `tchosen`, and read them instead of y and ty. On a CPU the windows come from the caches.
inline bool keeps_chosen(Target target, Pool pool) { return target == Target::kCuda && pool == Pool::kMax2x2; }

/// For the kernels of other targets: throws when one is to be written.
inline void check_not_kept(std::string_view op, const View& chosen) {
  IL_CHECK(!chosen, "{}: {} values at chosen pixels are wanted, which only a device's kernels keep", op, chosen.shape.to_string());
}

/// Traffic: reads y twice (statistics, then the maximum), writes p and choice.
struct NormReluPoolForward {
  static constexpr std::string_view kName = "norm_relu_pool";
  Pool pool = Pool::kMax2x2;
  double epsilon = 1e-5;
  ConstView y, gamma, beta;
  View mean, rstd, p, choice;
  View chosen = {};  ///< may be absent (not wanted)
};
inline KernelCost cost_of(const NormReluPoolForward& k) {
  // An element of y: mean 1, variance 3, z 3.
  return {7 * elements_of(k.y), bytes_of(k.y, k.gamma, k.beta, k.mean, k.rstd, k.p, k.choice, k.chosen)};
}

/// The same with given statistics: p and choice from y, mean, rstd. Used when the query is normalised by the support
/// set.
struct NormReluPoolApply {
  static constexpr std::string_view kName = "norm_relu_pool_apply";
  Pool pool = Pool::kMax2x2;
  ConstView y, mean, rstd, gamma, beta;  ///< mean, rstd [T|1, K]
  View p, choice;
};
inline KernelCost cost_of(const NormReluPoolApply& k) {
  return {3 * elements_of(k.y), bytes_of(k.y, k.mean, k.rstd, k.gamma, k.beta, k.p, k.choice)};
}

/// With gz the cotangent of z (gp at the chosen positions, zero elsewhere):
///   gbeta = sum gz,  ggamma_hat = sum gz xhat,  gy = gamma rstd (gz - gbeta/M - xhat ggamma_hat/M).
/// `ggamma` is always written (it is sum gz*xhat, needed by the tangent even without a gamma).
struct NormReluPoolGrad {
  static constexpr std::string_view kName = "norm_relu_pool_grad";
  Pool pool = Pool::kMax2x2;
  ConstView y, mean, rstd, gamma, choice, gp;
  View gy, ggamma, gbeta;
  ConstView chosen = {};
};
inline KernelCost cost_of(const NormReluPoolGrad& k) {
  // An element of p: gbeta 1, xhat 2, ggamma 2. An element of y: xhat 2, the bracket 3, its factor 1.
  return {5 * elements_of(k.gp) + 6 * elements_of(k.y),
          bytes_of(k.y, k.mean, k.rstd, k.gamma, k.choice, k.gp, k.gy, k.ggamma, k.gbeta, k.chosen)};
}

/// Tangent of the forward pass. t = mean(ty xhat):
///   tmean = mean(ty),  trstd = -rstd^2 t,  txhat = rstd (ty - tmean - xhat t),  tz = tgamma xhat + gamma txhat +
///   tbeta, tp = tz at the chosen positions, 0 where dead. ty, tgamma and tbeta may each be absent (zero).
struct NormReluPoolJvp {
  static constexpr std::string_view kName = "norm_relu_pool_jvp";
  Pool pool = Pool::kMax2x2;
  ConstView y, mean, rstd, gamma, choice;
  ConstView ty, tgamma, tbeta;
  View tp, tmean, trstd;
  ConstView chosen = {};
  View tchosen = {};  ///< may be absent (not wanted, or no ty)
};
inline KernelCost cost_of(const NormReluPoolJvp& k) {
  // An element of y: tmean 1, xhat 2, t 2. An element of p: xhat 2, txhat 4, tz 4; without ty, xhat 2 and tz 2.
  const bool moves = elements_of(k.ty) > 0;
  return {(moves ? 5 : 0) * elements_of(k.y) + (moves ? 10 : 4) * elements_of(k.tp),
          bytes_of(k.y, k.mean, k.rstd, k.gamma, k.choice, k.ty, k.tgamma, k.tbeta, k.tp, k.tmean) +
              bytes_of(k.trstd, k.chosen, k.tchosen)};
}

/// Tangent of NormReluPoolGrad, in one pass that also gives the primal gy again (the dual convolutions need both).
///   txhat = trstd (y - mean) + rstd (ty - tmean);  r = gz - gbeta/M - xhat ggamma/M
///   tgbeta = sum tgz,  tggamma = sum (tgz xhat + gz txhat)
///   tgy = (tgamma rstd + gamma trstd) r + gamma rstd (tgz - tgbeta/M - txhat ggamma/M - xhat tggamma/M)
/// ty, tmean, trstd, tgamma and tgp may each be absent (zero). gy may be absent (not wanted).
struct NormReluPoolGradJvp {
  static constexpr std::string_view kName = "norm_relu_pool_grad_jvp";
  Pool pool = Pool::kMax2x2;
  ConstView y, mean, rstd, gamma, choice, gp, ggamma, gbeta;  ///< ggamma, gbeta: outputs of NormReluPoolGrad
  ConstView ty, tmean, trstd, tgamma, tgp;
  View gy, tgy, tggamma, tgbeta;
  ConstView chosen = {}, tchosen = {};
};
inline KernelCost cost_of(const NormReluPoolGradJvp& k) {
  // An element of p: xhat 2, txhat 5, tgbeta 1, tggamma 4. An element of y: xhat 2, txhat 5, r 3, the bracket of tgy 5, the
  // two factors and their sum 3; gy 1.
  return {12 * elements_of(k.gp) + 18 * elements_of(k.y) + elements_of(k.gy),
          bytes_of(k.y, k.mean, k.rstd, k.gamma, k.choice, k.gp, k.ggamma, k.gbeta) +
              bytes_of(k.ty, k.tmean, k.trstd, k.tgamma, k.tgp, k.gy, k.tgy, k.tggamma, k.tgbeta) +
              bytes_of(k.chosen, k.tchosen)};
}

/// `choice` in the form that plain ops take: position = the window position, 0 where dead; alive = 1, or 0 where dead.
/// position i32 and alive f32 or f64, of the shape of choice.
struct ChoiceDecode {
  static constexpr std::string_view kName = "choice_decode";
  ConstView choice;
  View position, alive;
};
inline KernelCost cost_of(const ChoiceDecode& k) {
  return {0, bytes_of(k.choice, k.position, k.alive)};
}

/// choice = position where p > 0 (0 without a position), else kDead; a NaN in p is dead. p f32 or f64, position i32.
struct ChoiceEncode {
  static constexpr std::string_view kName = "choice_encode";
  ConstView p, position;  ///< position may be absent (zero)
  View choice;
};
inline KernelCost cost_of(const ChoiceEncode& k) {
  return {0, bytes_of(k.p, k.position, k.choice)};
}

}  // namespace innerloop::kernels
