// The end of a meta-step: the clock, Adam on every parameter, and the sums of squares by which a step is judged.
//
// Shapes, dtypes, aliasing: those of the parts (kernels/update.h, kernels/update_lists.h). Determinism: sums in a fixed order, as
// SumOfSquaresList takes them. Traffic, ideal: Adam's; the sums come from what it reads and writes anyway.
//
// compose() is what every target can do: the four kernels, one after another.
#pragma once

#include "kernels/update_lists.h"

namespace innerloop::kernels {

struct OuterUpdate {
  static constexpr std::string_view kName = "outer_update";
  AdvanceClock clock;
  AdamList adam;          ///< its schedule is the clock's, as this step moves it
  View gradient_squares;  ///< f64 [n]: of each gradient, before the clip
  View state_squares;     ///< f64 [3 n]: of each theta, then each m, then each v, after the update
};
inline KernelCost cost_of(const OuterUpdate& k) {
  const std::int64_t squared = elements_of(k.adam.grad) + elements_of(k.adam.theta) + elements_of(k.adam.m) + elements_of(k.adam.v);
  return cost_of(k.clock) + cost_of(k.adam) + KernelCost{2 * squared, bytes_of(k.gradient_squares, k.state_squares)};
}

void compose(const OuterUpdate& k, Context& context);

/// Throws when lists, sums or schedule do not fit each other.
void check(const OuterUpdate& k);

}  // namespace innerloop::kernels
