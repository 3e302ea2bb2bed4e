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
//   ggamma, gbeta [T, K]; gamma, beta [T|1, K]; a tangent or gradient has the shape of its primal. gamma may be absent.
// Dtypes: f32 or f64, the same throughout; choice u8. Errors: those of the two families.
// Determinism: the same bits at any number of threads, and for a task alone or beside others. Aliasing: none.
// Scratch: gy and tgy, where a target keeps them, come from the context's arena and go back to it.
//
// compose() is what every target can do: the kernels of the two families, one after another. A target that can do better
// registers its own for the cases in which it is better and calls compose() for the others.
#pragma once

#include "kernels/conv.h"
#include "kernels/norm.h"

namespace innerloop::kernels {

/// Traffic, ideal: x, w read and y, p, choice written once.
struct ConvBlockForward {
  static constexpr std::string_view kName = "conv_block";
  ConvGeometry geometry;
  Pool pool = Pool::kMax2x2;
  double epsilon = 1e-5;
  ConstView x, w, gamma, beta;
  View y, mean, rstd, p, choice;
};

/// Traffic, ideal: x, w, y, choice, gp read and gx, gw written once.
struct ConvBlockGrad {
  static constexpr std::string_view kName = "conv_block_grad";
  ConvGeometry geometry;
  Pool pool = Pool::kMax2x2;
  ConstView x, w, gamma, y, mean, rstd, choice, gp;
  View gx;  ///< may be absent (not wanted)
  View gw, ggamma, gbeta;
};

/// tx, tw, tgamma and tbeta may each be absent (zero). ty is absent where tx and tw are: it is zero then.
struct ConvBlockJvp {
  static constexpr std::string_view kName = "conv_block_jvp";
  ConvGeometry geometry;
  Pool pool = Pool::kMax2x2;
  ConstView x, w, gamma, y, mean, rstd, choice;
  ConstView tx, tw, tgamma, tbeta;
  View tp, ty, tmean, trstd;
};

/// ggamma and gbeta are outputs of ConvBlockGrad, ty, tmean and trstd of ConvBlockJvp; each tangent may be absent (zero).
struct ConvBlockGradJvp {
  static constexpr std::string_view kName = "conv_block_grad_jvp";
  ConvGeometry geometry;
  Pool pool = Pool::kMax2x2;
  ConstView x, w, gamma, y, mean, rstd, choice, gp, ggamma, gbeta;
  ConstView tx, tw, tgamma, ty, tmean, trstd, tgp;
  View tgx;  ///< may be absent (not wanted)
  View tgw, tggamma, tgbeta;
};

/// Both gradients of one convolution: independent of each other, and most of what they read is the same.
struct ConvGrads {
  static constexpr std::string_view kName = "conv_grads";
  ConvInputGrad input;
  ConvWeightGrad weight;
};

void compose(const ConvBlockForward& k, Context& context);
void compose(const ConvBlockGrad& k, Context& context);
void compose(const ConvBlockJvp& k, Context& context);
void compose(const ConvBlockGradJvp& k, Context& context);
void compose(const ConvGrads& k, Context& context);

}  // namespace innerloop::kernels
