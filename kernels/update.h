// Parameter updates: SGD and Adam, in place, and the clip that may come before them; the clock of a replayed step.
//
// A recorded step (a CUDA graph) is replayed with the same arguments each time. What changes from step to step then comes from
// memory beside the outputs: `rate_from` and `schedule` here, `clock` in kernels/sample.h; AdvanceClock moves them on.
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
  ConstView rate_from{};  ///< f64 [1], replaces `rate`; may be absent
};
inline KernelCost cost_of(const Sgd& k) {
  return {2 * elements_of(k.out), bytes_of(k.theta, k.grad, k.out, k.rate_from)};
}

/// Kingma and Ba, "Adam", ICLR 2015, algorithm 1; step counts from 1.
///   m = b1 m + (1-b1) g,  v = b2 v + (1-b2) g^2,  theta -= rate * (m/(1-b1^step)) / (sqrt(v/(1-b2^step)) + epsilon)
struct Adam {
  static constexpr std::string_view kName = "adam";
  double rate = 0, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  std::int64_t step = 1;
  ConstView grad;
  View theta, m, v;
  /// f64 [3] = {rate, 1/(1-b1^step), 1/(1-b2^step)}, replaces `rate` and `step`; may be absent.
  ConstView schedule{};
};
/// Of one element: m 3, v 4, their corrections 2, root, epsilon, quotient, rate, difference 5.
inline constexpr std::int64_t kAdamFlops = 14;
inline KernelCost cost_of(const Adam& k) {
  return {kAdamFlops * elements_of(k.theta), bytes_of(k.grad, k.schedule) + 2 * bytes_of(k.theta, k.m, k.v)};
}

/// The end of a replayed step: schedule = table[clock], or the table's last line once the clock is past it (its first before
/// 0); then clock += 1. So line i of the table is what the update of step i reads, with AdvanceClock run before the update and
/// everything that reads the clock itself before that.
/// Shapes: table f64 [S, 3], S >= 1; clock i64 [1]; schedule f64 [3].
struct AdvanceClock {
  static constexpr std::string_view kName = "advance_clock";
  ConstView table;
  View clock, schedule;
};
inline KernelCost cost_of(const AdvanceClock& k) {
  // Of the table, one line.
  return {0, 2 * bytes_of(k.clock, k.schedule)};
}

/// x = min(max(x, -limit), limit), in place; a NaN stays a NaN.
struct ClipValue {
  static constexpr std::string_view kName = "clip_value";
  double limit = 0;
  View x;
};
inline KernelCost cost_of(const ClipValue& k) {
  return {0, 2 * bytes_of(k.x)};
}

}  // namespace innerloop::kernels
