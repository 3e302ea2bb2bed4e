// What happens to all parameters at once, as one kernel for the whole list: a network has a dozen small tensors, and on a
// device a launch costs more than the work on most of them.
//
// Shapes: entry i of every list has parameter i's shape, with the task axis in front. Dtypes: f32 or f64, one for all lists.
// Determinism: elements alone, or sums in a fixed order. Aliasing: as said. Errors: lists of different lengths.
// A launch takes kMaxList tensors; more are taken in turns.
#pragma once

#include <span>

#include "kernels/update.h"

namespace innerloop::kernels {

inline constexpr std::size_t kMaxList = 48;

/// out[t, ...] = theta[i][0, ...] for every task t: each task's own start from the shared one. theta[i] [1, ...], out[i]
/// [T, ...]. Traffic: theta read once, out written once.
struct RepeatList {
  static constexpr std::string_view kName = "repeat_list";
  std::span<const ConstView> theta;
  std::span<const View> out;
};
inline KernelCost cost_of(const RepeatList& k) {
  return {0, bytes_of(k.theta, k.out)};
}

/// out[i] = theta[i] - rate * grad[i]. theta[i] may have task extent 1 where the others have T; out[i] may be theta[i].
/// Traffic: each list read once, out written once.
struct SgdList {
  static constexpr std::string_view kName = "sgd_list";
  double rate = 0;
  ConstView rate_from;  ///< f64 [1] or longer: its first element replaces `rate`
  std::span<const ConstView> theta, grad;
  std::span<const View> out;
};
inline KernelCost cost_of(const SgdList& k) {
  return {2 * elements_of(k.out), bytes_of(k.theta, k.grad, k.out)};
}

/// The clip and Adam (kernels/update.h) on every parameter, in place; g is grad, clipped to [-clip, clip] where clip > 0.
/// Traffic: four lists read once, three written once.
struct AdamList {
  static constexpr std::string_view kName = "adam_list";
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, clip = 0;
  ConstView schedule;  ///< f64 [3]: rate, 1/(1-beta1^step), 1/(1-beta2^step)
  std::span<const ConstView> grad;
  std::span<const View> theta, m, v;
};
inline KernelCost cost_of(const AdamList& k) {
  return {kAdamFlops * elements_of(k.theta), bytes_of(k.grad, k.schedule) + 2 * bytes_of(k.theta, k.m, k.v)};
}

/// y[i] = (sum of x[i] over its T tasks, in task order, in float64) / tasks. x[i] [T, ...], y[i] [1, ...].
struct MeanOverTasksList {
  static constexpr std::string_view kName = "mean_over_tasks_list";
  std::int64_t tasks = 1;
  std::span<const ConstView> x;
  std::span<const View> y;
};
inline KernelCost cost_of(const MeanOverTasksList& k) {
  return {elements_of(k.x) + elements_of(k.y), bytes_of(k.x, k.y)};
}

/// y[i] = sum of x[i]^2, in float64; a NaN or an infinity shows in it. y f64 [number of tensors].
struct SumOfSquaresList {
  static constexpr std::string_view kName = "sum_of_squares_list";
  std::span<const ConstView> x;
  View y;
};
inline KernelCost cost_of(const SumOfSquaresList& k) {
  return {2 * elements_of(k.x), bytes_of(k.x, k.y)};
}

}  // namespace innerloop::kernels
