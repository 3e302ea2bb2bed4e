// Mean and covariance of the patches of a task's images: what a convolution of constant images with any filters has for
// statistics.
//
// A patch u of a pixel of y is the D = R*S*C inputs that the pixel is the weighted sum of, y_k = w_k . u. Over all
// pixels of a task's images:
//
//   m = mean u,   S = mean (u - m)(u - m)^T;   then   mean y_k = w_k . m,   var y_k = w_k^T S w_k,
//                                              mean (y_k - mean)(v . u) = (S w_k) . v
//
// Shapes: x [T, N, H, W, C]; w [T|1, R, S, C, K] and y [T, N, P, Q, K], of which the shapes alone matter;
//   moments [T, 1 + D, D]: m, then the rows of S.
// Dtypes: x f32 or f64, moments f64, in which all is summed: filters that look for edges meet images whose neighbouring
//   pixels are nearly alike, and w^T S w is then a small difference of large terms.
// Determinism: the same bits at any number of threads, and for a task alone or beside others; other bits on other
//   targets. Errors: operands that do not fit; groups, or D above kMomentTaps (moments_suffice()).
#pragma once

#include "kernels/conv.h"

namespace innerloop::kernels {

/// The largest D: D (D + 1)/2 products a pixel, and the table of a pixel's patch, should stay small.
inline constexpr std::int64_t kMomentTaps = 32;

/// Traffic: x read once.
struct PatchMoments {
  static constexpr std::string_view kName = "patch_moments";
  ConvGeometry geometry;
  Shape w, y;
  ConstView x;
  View moments;
};
inline KernelCost cost_of(const PatchMoments& k) {
  const std::int64_t taps = k.moments.shape[2];  // a patch: D additions, D (D + 1)/2 multiply-adds
  return {k.x.shape[0] * k.y[1] * k.y[2] * k.y[3] * taps * (taps + 2), bytes_of(k.x, k.moments)};
}

/// Of two sets of images, such as those that a task is learnt from and those that it is judged by.
struct PatchMomentsPair {
  static constexpr std::string_view kName = "patch_moments_pair";
  PatchMoments first, second;
};
inline KernelCost cost_of(const PatchMomentsPair& k) { return cost_of(k.first) + cost_of(k.second); }
/// What every target can do: one after the other.
void compose(const PatchMomentsPair& k, Context& context);

/// Whether the moments of x may stand in place of y, for weights of this shape.
bool moments_suffice(const ConvGeometry& geometry, const Shape& w);
/// [T, 1 + D, D] for the images and weights of a convolution.
Shape moments_shape(const Shape& x, const Shape& w);

/// Throws unless `moments` are what the kernel `op` needs for images x and weights w.
void check_moments(std::string_view op, const ConvGeometry& geometry, const ConstView& moments, const Shape& x, const Shape& w);

}  // namespace innerloop::kernels
