// Convolution (cross-correlation) as a closed triple: forward, input gradient, weight gradient. The derivative of any
// one is a sum of the other two, so every order stays inside this header.
//
//   forward       y[t,n,p,q,k]  = sum_{r,s,c} x[t,n, p*stride - pad_top + r*dilation, q*... , c] * w[t,r,s,c,k]
//   input grad    gx = the adjoint of y in x,   weight grad   gw = the adjoint of y in w
//
// Each has a dual form: a second operand pair that is accumulated into the same output, which makes a whole second-order
// convolution one kernel: y = C(x0,w0) + C(x1,w1), and so on. Pair 1 is absent when its views are empty.
//
// Shapes: x [T|1, N, H, W, C], w [T|1, R, S, C/groups, K], y [T, N, P, Q, K]. Channels last, dense. Group g reads input
//   channels [g*C/groups, ...) and writes output channels [g*K/groups, ...).
// Task axis: an operand of task extent 1 serves all tasks. An output gradient of task extent 1, where its operands have
//   T, is the sum over tasks in task order.
// Padding: pad_top rows of zeros above and pad_left columns at the left; what lies below and right follows from P and Q.
// Dtypes: f32 or f64, the same throughout. f32 accumulates in f32 with fused multiply-add where the target has it.
// Aliasing: no output may overlap an operand. Determinism: the same bits at any number of threads.
// Traffic, ideal: each operand read once, the output written once.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace innerloop::kernels {

struct ConvGeometry {
  std::int64_t stride_h = 1, stride_w = 1;
  std::int64_t pad_top = 0, pad_left = 0;
  std::int64_t dilation_h = 1, dilation_w = 1;
  std::int64_t groups = 1;
};

/// Of one pair of operands, in the roles of x, w and y.
inline std::int64_t conv_flops(const ConstView& x, const ConstView& w, const ConstView& y) {
  const Shape &u = w.shape, &v = y.shape;
  return 2 * tasks_of(x, w, y) * v[1] * v[2] * v[3] * v[4] * u[1] * u[2] * u[3];
}
/// Of the second pair, which may be absent.
inline std::int64_t second_flops(const ConstView& x, const ConstView& w, const ConstView& y) {
  return elements_of(x) == 0 || elements_of(w) == 0 || elements_of(y) == 0 ? 0 : conv_flops(x, w, y);
}

struct ConvForward {
  static constexpr std::string_view kName = "conv_forward";
  ConvGeometry geometry;
  ConstView x[2], w[2];
  View y;
};
inline KernelCost cost_of(const ConvForward& k) {
  return {conv_flops(k.x[0], k.w[0], k.y) + second_flops(k.x[1], k.w[1], k.y),
          bytes_of(k.x[0], k.w[0], k.x[1], k.w[1], k.y)};
}

struct ConvInputGrad {
  static constexpr std::string_view kName = "conv_input_grad";
  ConvGeometry geometry;
  ConstView gy[2], w[2];
  View gx;  ///< [T|1, N, H, W, C]
};
inline KernelCost cost_of(const ConvInputGrad& k) {
  return {conv_flops(k.gx, k.w[0], k.gy[0]) + second_flops(k.gx, k.w[1], k.gy[1]),
          bytes_of(k.gy[0], k.w[0], k.gy[1], k.w[1], k.gx)};
}

struct ConvWeightGrad {
  static constexpr std::string_view kName = "conv_weight_grad";
  ConvGeometry geometry;
  ConstView x[2], gy[2];
  View gw;  ///< [T|1, R, S, C/groups, K]
};
inline KernelCost cost_of(const ConvWeightGrad& k) {
  return {conv_flops(k.x[0], k.gw, k.gy[0]) + second_flops(k.x[1], k.gw, k.gy[1]),
          bytes_of(k.x[0], k.gy[0], k.x[1], k.gy[1], k.gw)};
}

}  // namespace innerloop::kernels
