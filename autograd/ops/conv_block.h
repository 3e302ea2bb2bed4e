// The conv block: convolution, batch norm, ReLU and max-pool as one op, with fused first- and second-order kernels.
//
// A gradient step and a Hessian-vector product through a block are four ops, each with a plain reference:
//   conv_block            (x, w, gamma, beta)                                -> (p, y, mean, rstd, choice, chosen)
//   conv_block_grad       (x, w, gamma, map, mean, rstd, choice, gp, chosen) -> (gx, gw, ggamma, gbeta)
//   conv_block_jvp        tangent of the first, of which the convolution is one dual kernel
//   conv_block_grad_jvp   tangent of the second, likewise
// map is y or, for constant images, the moments of their patches, and then there is no y. y, mean and rstd are true outputs and true inputs of the gradient,
// so their tangents travel from the one jvp to the other and nothing is computed twice. chosen is what a device keeps of y beside it (kernels/norm.h), a
// function of y that no reference reads. Whatever is asked beyond these four goes through the references, to any order.
#pragma once

#include <utility>

#include "autograd/ops/conv.h"
#include "autograd/var.h"
#include "kernels/norm.h"

namespace innerloop::autograd {

using kernels::Pool;

struct ConvBlockOptions {
  ConvOptions conv;
  Pool pool = Pool::kMax2x2;
  double epsilon = 1e-5;
};

struct ConvBlockResult {
  Var p;           ///< [T, N, H', W', K]
  Var mean, rstd;  ///< [T, K], the statistics of this batch
  Var map, choice;  ///< what its gradient reads besides; map: y or, for constant images, the moments of their patches
  Var chosen;       ///< y at the chosen pixels, undefined where the target does not keep it
};

/// What a block of constant images keeps in place of y, a function of the images alone (kernels/patch_moments.h): to be made once for
/// images that meet many parameters. Undefined where a block stores y: for images with a derivative or too many taps.
Tensor conv_block_moments(const Var& x, const Shape& w, const ConvBlockOptions& options);
/// Of two sets of images, at once.
std::pair<Tensor, Tensor> conv_block_moments(const Var& first, const Var& second, const Shape& w, const ConvBlockOptions& options);

/// x [T|1, N, H, W, C], w [T|1, R, S, C/groups, K], gamma [T|1, K] or undefined (scale 1), beta [T|1, K].
ConvBlockResult conv_block(const Var& x, const Var& w, const Var& gamma, const Var& beta,
                           const ConvBlockOptions& options);
/// The same with what conv_block_moments() made of x and w.
ConvBlockResult conv_block_with_moments(const Var& x, const Var& w, const Var& gamma, const Var& beta,
                                        const ConvBlockOptions& options, const Tensor& moments);

enum class InputGradient : std::uint8_t { kUnwanted, kWanted };

/// The gradient of a block as an op: (x, w, gamma or undefined, map, mean, rstd, choice, gp, chosen or undefined) -> (gx or undefined,
/// gw, ggamma [T, K], gbeta [T, K]), with every derivative. A reverse walk calls it; so does whoever walks by hand.
Vars conv_block_gradient(const ConvBlockOptions& options, InputGradient input, const Vars& operands);

/// The same function in plain ops.
ConvBlockResult conv_block_reference(const Var& x, const Var& w, const Var& gamma, const Var& beta,
                                     const ConvBlockOptions& options);

/// The block with given statistics instead of the batch's: what an image gets does not depend on its neighbours. Values only.
Tensor conv_block_with_statistics(const Tensor& x, const Tensor& w, const Tensor& gamma, const Tensor& beta,
                                  const Tensor& mean, const Tensor& rstd, const ConvBlockOptions& options);

/// The same in plain ops, with every derivative. mean and rstd [T|1, K] are constants of it.
Var conv_block_with_statistics_reference(const Var& x, const Var& w, const Var& gamma, const Var& beta,
                                         const Tensor& mean, const Tensor& rstd, const ConvBlockOptions& options);

}  // namespace innerloop::autograd
