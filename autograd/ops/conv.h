// Convolution and its two adjoints: a closed triple of bilinear ops (kernels/conv.h states formulas and shapes).
#pragma once

#include "autograd/var.h"
#include "kernels/conv.h"

namespace innerloop::autograd {

struct ConvOptions {
  std::int64_t stride_h = 1, stride_w = 1;
  std::int64_t pad_top = 0, pad_bottom = 0, pad_left = 0, pad_right = 0;
  std::int64_t dilation_h = 1, dilation_w = 1;
  std::int64_t groups = 1;

  kernels::ConvGeometry geometry() const {
    return {stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w, groups};
  }
};

/// [T, N, P, Q, K] for x [T|1, N, H, W, C] and w [T|1, R, S, C/groups, K]. Throws, naming both shapes, when they do not fit.
Shape conv_output_shape(const Shape& x, const Shape& w, const ConvOptions& options);

/// y = C(x, w).
Var conv(const Var& x, const Var& w, const ConvOptions& options);
/// The adjoint of conv in x, of the shape `x`: D(gy, w).
Var conv_input_grad(const Var& gy, const Var& w, const Shape& x, const ConvOptions& options);
/// The adjoint of conv in w, of the shape `w`: W(x, gy).
Var conv_weight_grad(const Var& x, const Var& gy, const Shape& w, const ConvOptions& options);

}  // namespace innerloop::autograd
