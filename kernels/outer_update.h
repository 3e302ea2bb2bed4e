// The end of a meta-step: the mean of the tasks' gradients, the clock, Adam on every parameter, the sums of squares by which a step is
// judged, the row of its figures, and the parameters once for each task of the next step.
//
// Shapes, dtypes, aliasing: those of the parts (kernels/update.h, kernels/update_lists.h, kernels/pack.h). Determinism: sums in a fixed
// order, as MeanOverTasksList and SumOfSquaresList take them. Traffic, ideal: the tasks' gradients and Adam's state; all else comes from what
// is read and written anyway.
//
// compose() is what every target can do: the kernels one after another.
#pragma once

#include "kernels/pack.h"
#include "kernels/update_lists.h"

namespace innerloop::kernels {

struct OuterUpdate {
  static constexpr std::string_view kName = "outer_update";
  AdvanceClock clock;
  AdamList adam;          ///< its schedule is the clock's, as this step moves it
  View gradient_squares;  ///< f64 [n]: of each gradient, before the clip
  View state_squares;     ///< f64 [3 n]: of each theta, then each m, then each v, after the update
  std::int64_t tasks = 0;              ///< not 0: adam.grad[i] is [T, ...], and the gradient its sum over T divided by this
  std::span<const View> starts = {};   ///< [T, ...] each: theta after the update, T times; may be empty
  PackRow row = {};                    ///< written last: its parts may be the sums, and its clock is the one that moves; no ring: not wanted
};
inline KernelCost cost_of(const OuterUpdate& k) {
  const std::int64_t squared = 2 * elements_of(k.adam.theta) + elements_of(k.adam.m) + elements_of(k.adam.v);
  const std::int64_t added = k.tasks > 0 ? elements_of(k.adam.grad) + elements_of(k.adam.theta) : 0;
  return cost_of(k.clock) + cost_of(k.adam) +
         KernelCost{2 * squared + added, bytes_of(k.gradient_squares, k.state_squares) + bytes_of(k.starts)} +
         (k.row.ring ? cost_of(k.row) : KernelCost{});
}

void compose(const OuterUpdate& k, Context& context);

/// Throws when lists, sums or schedule do not fit each other.
void check(const OuterUpdate& k);

}  // namespace innerloop::kernels
