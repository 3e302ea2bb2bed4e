// Reductions over axes. The output has the input's rank, with extent 1 on every reduced axis.
//
// Dtypes: f32 or f64. A float32 sum keeps float64 partials over fixed chunks, joined in order: error about epsilon times
// the magnitude, and the same bits at any number of threads. Aliasing: none. Traffic: x read once, y written once.
#pragma once

#include "kernels/kernel.h"

namespace innerloop::kernels {

/// y = scale * sum; the scale is taken in float64, before the sum is rounded.
struct ReduceSum {
  static constexpr std::string_view kName = "reduce_sum";
  ConstView x;
  View y;
  double scale = 1;
};
inline KernelCost cost_of(const ReduceSum& k) {
  return {elements_of(k.x) + (k.scale != 1 ? elements_of(k.y) : 0), bytes_of(k.x, k.y)};
}

struct ReduceMax {
  static constexpr std::string_view kName = "reduce_max";
  ConstView x;
  View y;
};
inline KernelCost cost_of(const ReduceMax& k) {
  return {0, bytes_of(k.x, k.y)};
}

/// y = (sum of x[t] over t, in task order, in float64) / tasks. x [T, ...] and y [1, ...] of one dtype, f32 or f64;
/// `tasks` is the number that the mean is over: T, unless x holds a part of the tasks.
struct MeanOverTasks {
  static constexpr std::string_view kName = "mean_over_tasks";
  ConstView x;
  std::int64_t tasks = 1;
  View y;
};
inline KernelCost cost_of(const MeanOverTasks& k) {
  return {elements_of(k.x) + elements_of(k.y), bytes_of(k.x, k.y)};
}

/// y = sum of x^2 in float64, in a fixed order. A NaN or an infinity of x shows in it. x f32 or f64 of any shape; y f64
/// [1].
struct SumOfSquares {
  static constexpr std::string_view kName = "sum_of_squares";
  ConstView x;
  View y;
};
inline KernelCost cost_of(const SumOfSquares& k) {
  return {2 * elements_of(k.x), bytes_of(k.x, k.y)};
}

}  // namespace innerloop::kernels
