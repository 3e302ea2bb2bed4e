#include "kernels/outer_update.h"

#include <vector>

namespace innerloop::kernels {

void check(const OuterUpdate& k) {
  const auto n = static_cast<std::int64_t>(k.adam.theta.size());
  const auto sums = [](const View& v, std::int64_t count) { return v.dtype == DType::kF64 && v.shape == Shape{count}; };
  IL_CHECK(std::ssize(k.adam.grad) == n && std::ssize(k.adam.m) == n && std::ssize(k.adam.v) == n,
           "outer_update: {}, {}, {} and {} tensors", k.adam.grad.size(), n, k.adam.m.size(), k.adam.v.size());
  IL_CHECK(sums(k.gradient_squares, n) && sums(k.state_squares, 3 * n),
           "outer_update: sums of squares {} and {} for {} parameters; f64 [{}] and [{}] are needed",
           k.gradient_squares.shape.to_string(), k.state_squares.shape.to_string(), n, n, 3 * n);
  IL_CHECK(k.adam.schedule.data == k.clock.schedule.data, "outer_update: Adam's schedule is not the one that the clock moves");
}

void compose(const OuterUpdate& k, Context& context) {
  check(k);
  run(SumOfSquaresList{k.adam.grad, k.gradient_squares}, context);
  run(k.clock, context);
  run(k.adam, context);
  std::vector<ConstView> state;
  for (const auto& list : {k.adam.theta, k.adam.m, k.adam.v}) state.insert(state.end(), list.begin(), list.end());
  run(SumOfSquaresList{state, k.state_squares}, context);
}

}  // namespace innerloop::kernels
