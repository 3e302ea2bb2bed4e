// The conv block as whole kernels: convolution, batch norm, ReLU and max-pool, their gradient, and the tangents of both. What is
// computed is stated by kernels/conv.h and kernels/norm.h; here a target may join the two, so that what lies between them need
// not travel through memory.
//
//   forward    y = C(x, w);  mean, rstd, p, choice = norm-ReLU-pool(y)
//   gradient   gy, ggamma, gbeta = norm-ReLU-pool gradient(gp);  gx = D(gy, w);  gw = W(x, gy)
//   tangents   of either, in which a convolution is its dual form:
//              ty = C(tx, w) + C(x, tw);  tgx = D(tgy, w) + D(gy, tw);  tgw = W(x, tgy) + W(tx, gy)
//
// Shapes: x [T|1, N, H, W, C], w [T|1, R, S, C/groups, K], y [T, N, P, Q, K]; p, gp, choice [T, N, P', Q', K]; mean, rstd,
//   ggamma, gbeta [T, K]; chosen, tchosen (kernels/norm.h) as p; gamma, beta [T|1, K]; a tangent or gradient has the shape of its
//   primal. gamma may be absent.
// Dtypes: f32 or f64, the same throughout; choice u8. Errors: those of the two families.
// Determinism: the same bits at any number of threads, and for a task alone or beside others. Aliasing: none.
// Scratch: gy and tgy, where a target keeps them, come from the context's arena and go back to it.
//
// A block whose images have neither gradient nor tangent need not store y: where y's view has a shape and no address (and then
// ty's, too), gx, tx and tgx are absent and the moments of the images' patches (kernels/patch_moments.h) take y's place. Sums over
// all pixels follow from them for any weights, and what is left lives on the pooled grid (docs/mathematics.md, section 4). Every
// target does this.
//
// Costs (kernels/cost.h): the FLOPs of the parts; the bytes of what enters and leaves the block, as if all between stayed.
//
// compose() is what every target can do where y is stored: the kernels of the two families, one after another. A target that can do better
// registers its own for the cases in which it is better and calls compose() for the others.
#pragma once

#include "kernels/conv.h"
#include "kernels/norm.h"
#include "kernels/patch_moments.h"

namespace innerloop::kernels {

/// The bytes of y or ty in memory.
inline std::int64_t stored_bytes(const ConstView& y) { return y ? bytes_of(y) : 0; }
/// The FLOPs of a product with each tap of the patches that the pooled grid chooses.
inline std::int64_t chosen_flops(const ConstView& w, const ConstView& p) {
  return 2 * w.shape[1] * w.shape[2] * w.shape[3] * elements_of(p);
}

/// Traffic, ideal: x, w read and y, p, choice written once.
struct ConvBlockForward {
  static constexpr std::string_view kName = "conv_block";
  ConvGeometry geometry;
  Pool pool = Pool::kMax2x2;
  double epsilon = 1e-5;
  ConstView x, w, gamma, beta;
  View y, mean, rstd, p, choice;
  ConstView moments = {};  ///< in place of y; so below
  View chosen = {};        ///< may be absent (not wanted), and is where y is
};
inline KernelCost cost_of(const ConvBlockForward& k) {
  // An element of y: mean 1, variance 3, z 3.
  return {conv_flops(k.x, k.w, k.y) + (k.y ? 7 : 3) * elements_of(k.y),
          stored_bytes(k.y) + bytes_of(k.x, k.w, k.gamma, k.beta, k.mean, k.rstd, k.p, k.choice, k.moments, k.chosen)};
}

/// Traffic, ideal: x, w, y, choice, gp read and gx, gw written once.
struct ConvBlockGrad {
  static constexpr std::string_view kName = "conv_block_grad";
  ConvGeometry geometry;
  Pool pool = Pool::kMax2x2;
  ConstView x, w, gamma, y, mean, rstd, choice, gp;
  View gx;  ///< may be absent (not wanted)
  View gw, ggamma, gbeta;
  ConstView moments = {};
  ConstView chosen = {};
};
inline KernelCost cost_of(const ConvBlockGrad& k) {
  const std::int64_t conv = conv_flops(k.x, k.w, k.y);
  const std::int64_t dense = (elements_of(k.gx) > 0 ? 2 : 1) * conv + 5 * elements_of(k.gp) + 6 * elements_of(k.y);
  return {k.y ? dense : chosen_flops(k.w, k.gp) + elements_of(k.gp),
          stored_bytes(k.y) +
              bytes_of(k.x, k.w, k.gamma, k.mean, k.rstd, k.choice, k.gp, k.gx, k.gw, k.ggamma, k.gbeta, k.moments) +
              bytes_of(k.chosen)};
}

/// tx, tw, tgamma and tbeta may each be absent (zero). ty is absent where tx and tw are: it is zero then.
struct ConvBlockJvp {
  static constexpr std::string_view kName = "conv_block_jvp";
  ConvGeometry geometry;
  Pool pool = Pool::kMax2x2;
  ConstView x, w, gamma, y, mean, rstd, choice;
  ConstView tx, tw, tgamma, tbeta;
  View tp, ty, tmean, trstd;
  ConstView moments = {};
  ConstView chosen = {};
  View tchosen = {};  ///< may be absent
};
inline KernelCost cost_of(const ConvBlockJvp& k) {
  const bool moves = elements_of(k.tx) + elements_of(k.tw) > 0;
  const std::int64_t conv = conv_flops(k.x, k.w, k.y);
  const std::int64_t dense = conv * ((elements_of(k.tx) > 0 ? 1 : 0) + (elements_of(k.tw) > 0 ? 1 : 0)) +
                             (moves ? 5 : 0) * elements_of(k.y) + (moves ? 10 : 4) * elements_of(k.tp);
  return {k.y ? dense : chosen_flops(k.w, k.tp),
          stored_bytes(k.y) + stored_bytes(k.ty) + bytes_of(k.x, k.w, k.gamma, k.mean, k.rstd, k.choice, k.moments) +
              bytes_of(k.tx, k.tw, k.tgamma, k.tbeta, k.tp, k.tmean, k.trstd, k.chosen, k.tchosen)};
}

/// ggamma and gbeta are outputs of ConvBlockGrad, ty, tmean and trstd of ConvBlockJvp; each tangent may be absent (zero).
struct ConvBlockGradJvp {
  static constexpr std::string_view kName = "conv_block_grad_jvp";
  ConvGeometry geometry;
  Pool pool = Pool::kMax2x2;
  ConstView x, w, gamma, y, mean, rstd, choice, gp, ggamma, gbeta;
  ConstView tx, tw, tgamma, ty, tmean, trstd, tgp;
  View tgx;  ///< may be absent (not wanted)
  View tgw, tggamma, tgbeta;
  ConstView moments = {};
  ConstView chosen = {}, tchosen = {};
};
inline KernelCost cost_of(const ConvBlockGradJvp& k) {
  const std::int64_t conv = conv_flops(k.x, k.w, k.y);
  const std::int64_t input_pairs = elements_of(k.tgx) == 0 ? 0 : elements_of(k.tw) > 0 ? 2 : 1;
  const std::int64_t weight_pairs = elements_of(k.tx) > 0 ? 2 : 1;
  const std::int64_t dense = (input_pairs + weight_pairs) * conv + 12 * elements_of(k.gp) + 19 * elements_of(k.y);
  const std::int64_t maps = elements_of(k.tgp) > 0 ? 2 : 1;
  return {k.y ? dense : maps * (chosen_flops(k.w, k.gp) + elements_of(k.gp)),
          stored_bytes(k.y) + stored_bytes(k.ty) + bytes_of(k.moments) +
              bytes_of(k.x, k.w, k.gamma, k.mean, k.rstd, k.choice, k.gp, k.ggamma, k.gbeta) +
              bytes_of(k.tx, k.tw, k.tgamma, k.tmean, k.trstd, k.tgp) +
              bytes_of(k.tgx, k.tgw, k.tggamma, k.tgbeta, k.chosen, k.tchosen)};
}

/// Elements of a task's y below which a CPU does not join the kernels: its maps stay in the caches anyway, and to cut them finely
/// would only take the work from the threads inside a task.
inline constexpr std::int64_t kJoinElements = 300'000;

/// Both gradients of one convolution: independent of each other, and most of what they read is the same.
struct ConvGrads {
  static constexpr std::string_view kName = "conv_grads";
  ConvInputGrad input;
  ConvWeightGrad weight;
};
inline KernelCost cost_of(const ConvGrads& k) { return cost_of(k.input) + cost_of(k.weight); }

/// The norm's part of a block. gy and tgy may be absent, where a target keeps neither.
NormReluPoolForward norm_of(const ConvBlockForward& k);
NormReluPoolJvp norm_of(const ConvBlockJvp& k);
NormReluPoolGrad norm_of(const ConvBlockGrad& k, const View& gy);
NormReluPoolGradJvp norm_of(const ConvBlockGradJvp& k, const View& gy, const View& tgy);

/// The convolutions' part of a gradient, of gy, and of its tangent, of tgy and gy; gx may be absent in it. gy is needed where wants_gy() says so.
ConvGrads convolutions_of(const ConvBlockGrad& k, const ConstView& gy);
ConvGrads convolutions_of(const ConvBlockGradJvp& k, const ConstView& gy, const ConstView& tgy);
/// Whether a pair of the tangent's has gy in it.
inline bool wants_gy(const ConvBlockGradJvp& k) { return (k.tgx && k.tw) || k.tx; }

void compose(const ConvBlockForward& k, Context& context);
void compose(const ConvBlockGrad& k, Context& context);
void compose(const ConvBlockJvp& k, Context& context);
void compose(const ConvBlockGradJvp& k, Context& context);
void compose(const ConvGrads& k, Context& context);

}  // namespace innerloop::kernels
