// Parameter updates: SGD and Adam, in place, and the clip that may come before them.
//
// Shapes: all views of one update have the same shape. Dtypes: f32 or f64, the same throughout. Determinism: each element is
// computed alone. Aliasing: `out` of Sgd may be `theta`. Traffic: each view read once, outputs written once.
#pragma once

#include "kernels/kernel.h"

namespace innerloop::kernels {

/// out = theta - rate * grad. theta may have task extent 1 where grad and out have T.
struct Sgd {
  static constexpr std::string_view kName = "sgd";
  double rate = 0;
  ConstView theta, grad;
  View out;
};

/// Kingma and Ba, "Adam", ICLR 2015, algorithm 1; step counts from 1.
///   m = b1 m + (1-b1) g,  v = b2 v + (1-b2) g^2,  theta -= rate * (m/(1-b1^step)) / (sqrt(v/(1-b2^step)) + epsilon)
struct Adam {
  static constexpr std::string_view kName = "adam";
  double rate = 0, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  std::int64_t step = 1;
  ConstView grad;
  View theta, m, v;
};

/// x = min(max(x, -limit), limit), in place; a NaN stays a NaN.
struct ClipValue {
  static constexpr std::string_view kName = "clip_value";
  double limit = 0;
  View x;
};

}  // namespace innerloop::kernels
