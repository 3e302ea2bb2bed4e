#include "kernels/outer_update.h"

#include <vector>

#include "kernels/temporary.h"

namespace innerloop::kernels {

void check(const OuterUpdate& k) {
  const auto n = static_cast<std::int64_t>(k.adam.theta.size());
  const auto sums = [](const View& v, std::int64_t count) { return v.dtype == DType::kF64 && v.shape == Shape{count}; };
  IL_CHECK(std::ssize(k.adam.grad) == n && std::ssize(k.adam.m) == n && std::ssize(k.adam.v) == n,
           "outer_update: {}, {}, {} and {} tensors", k.adam.grad.size(), n, k.adam.m.size(), k.adam.v.size());
  IL_CHECK(sums(k.gradient_squares, n) && sums(k.state_squares, 3 * n),
           "outer_update: sums of squares {} and {} for {} parameters; f64 [{}] and [{}] are needed",
           k.gradient_squares.shape.to_string(), k.state_squares.shape.to_string(), n, n, 3 * n);
  IL_CHECK(k.tasks >= 0 && (k.starts.empty() || std::ssize(k.starts) == n), "outer_update: a mean over {} tasks, and {} starts for {} parameters",
           k.tasks, k.starts.size(), n);
  const auto whole = [](const auto& view, const View& one) {  // rows of one parameter
    return view.dtype == one.dtype && one.shape.numel() > 0 && view.shape.numel() % one.shape.numel() == 0;
  };
  for (std::size_t i = 0; i < k.adam.theta.size(); ++i) {
    const View& theta = k.adam.theta[i];
    if (k.tasks > 0)
      IL_CHECK(whole(k.adam.grad[i], theta), "outer_update: gradients {} of parameter {}; [T, ...] of it is needed",
               k.adam.grad[i].shape.to_string(), theta.shape.to_string());
    if (!k.starts.empty())
      IL_CHECK(whole(k.starts[i], theta) && k.starts[i].shape[0] == k.starts[0].shape[0], "outer_update: starts {} of parameter {}; [T, ...] of it is needed",
               k.starts[i].shape.to_string(), theta.shape.to_string());
  }
  IL_CHECK(!k.row.ring || k.row.clock.data == k.clock.clock.data, "outer_update: the row's clock is not the one that moves");
  IL_CHECK(k.adam.schedule.data == k.clock.schedule.data, "outer_update: Adam's schedule is not the one that the clock moves");
}

void compose(const OuterUpdate& k, Context& context) {
  check(k);
  if (k.tasks > 0) {
    std::vector<Temporary> memory;
    std::vector<View> mean;
    for (const View& theta : k.adam.theta) memory.emplace_back(theta.shape, theta.dtype, context), mean.push_back(memory.back().view());
    run(MeanOverTasksList{k.tasks, k.adam.grad, mean}, context);
    OuterUpdate rest = k;
    const std::vector<ConstView> gradient(mean.begin(), mean.end());
    rest.tasks = 0, rest.adam.grad = gradient;
    return compose(rest, context);
  }
  run(SumOfSquaresList{k.adam.grad, k.gradient_squares}, context);
  run(k.clock, context);
  run(k.adam, context);
  std::vector<ConstView> state;
  for (const auto& list : {k.adam.theta, k.adam.m, k.adam.v}) state.insert(state.end(), list.begin(), list.end());
  run(SumOfSquaresList{state, k.state_squares}, context);
  if (!k.starts.empty()) {
    const std::vector<ConstView> theta(k.adam.theta.begin(), k.adam.theta.end());
    run(RepeatList{theta, k.starts}, context);
  }
  if (k.row.ring) run(k.row, context);
}

}  // namespace innerloop::kernels
