#include "meta/optimizer.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/outer_update.h"
#include "meta/views.h"

namespace innerloop::meta {

OptimizerOptions optimizer_options(const io::Config& config) {
  const io::OuterConfig& o = config.outer;
  return {o.optimizer, o.rate, o.schedule, o.iterations, o.clip};
}

double rate_at(const OptimizerOptions& options, std::int64_t step) {
  if (options.schedule == io::Schedule::kConstant) return options.rate;
  const double share = static_cast<double>(step - 1) / static_cast<double>(options.iterations);
  return options.rate * 0.5 * (1 + std::cos(std::numbers::pi * std::min(share, 1.0)));
}

OptimizerState init_optimizer(const OptimizerOptions& options, const std::vector<Tensor>& params) {
  OptimizerState state;
  if (options.kind == io::Optimizer::kSgd) return state;
  for (const Tensor& p : params) {
    state.m.push_back(Tensor::zeros(p.shape(), p.dtype()));
    state.v.push_back(Tensor::zeros(p.shape(), p.dtype()));
  }
  return state;
}

namespace {

void append_row(const OptimizerOptions& options, std::int64_t step, std::vector<double>& rows) {
  const kernels::AdamList adam;
  rows.push_back(rate_at(options, step));
  rows.push_back(1 / (1 - std::pow(adam.beta1, static_cast<double>(step))));
  rows.push_back(1 / (1 - std::pow(adam.beta2, static_cast<double>(step))));
}

}  // namespace

Tensor schedule_row(const OptimizerOptions& options, std::int64_t step) {
  std::vector<double> row;
  append_row(options, step, row);
  return Tensor::from({3}, row);
}

Tensor schedule_table(const OptimizerOptions& options) {
  std::vector<double> rows;
  for (std::int64_t step = 1; step <= options.iterations; ++step) append_row(options, step, rows);
  return Tensor::from({options.iterations, 3}, rows);
}

void update(const OptimizerOptions& options, const Tensor& schedule, std::vector<Tensor>& params, OptimizerState& state,
            std::vector<Tensor>& gradient) {
  const bool adam = options.kind == io::Optimizer::kAdam;
  IL_CHECK(gradient.size() == params.size() &&
               (!adam || (state.m.size() == params.size() && state.v.size() == params.size())),
           "optimizer: {} gradients and {} moments for {} parameters", gradient.size(), state.m.size(), params.size());
  Context& context = Context::current();
  const auto theta = mutable_views(params);
  if (adam) {
    const auto g = views(gradient);
    const auto m = mutable_views(state.m), v = mutable_views(state.v);
    kernels::AdamList step;
    step.clip = options.clip;
    step.schedule = schedule.view();
    step.grad = g, step.theta = theta, step.m = m, step.v = v;
    kernels::run(step, context);
  } else {
    if (options.clip > 0)
      for (Tensor& g : gradient) kernels::run(kernels::ClipValue{options.clip, g.mutable_view()}, context);
    const auto from = views(params), g = views(gradient);
    kernels::run(kernels::SgdList{.rate = 0, .rate_from = schedule.view(), .theta = from, .grad = g, .out = theta}, context);
  }
}

void timed_update(const OptimizerOptions& options, StepClock& at, std::vector<Tensor>& params, OptimizerState& state, StepEnd end) {
  Context& context = Context::current();
  const auto n = static_cast<std::int64_t>(params.size());
  Tensor gradient_squares = Tensor::empty({n}, DType::kF64), state_squares = Tensor::empty({n + 2 * std::ssize(state.m)}, DType::kF64);
  const kernels::AdvanceClock advance{.table = at.table.view(), .clock = at.clock.mutable_view(), .schedule = at.schedule.mutable_view()};
  std::vector<ConstView> parts = views(end.figures);
  parts.push_back(gradient_squares.view());
  parts.push_back(state_squares.view());
  const kernels::PackRow row{parts, at.clock.view(), at.ring.mutable_view()};
  const std::int64_t tasks = end.gradient.empty() ? 1 : end.gradient[0].shape()[0];
  if (options.kind == io::Optimizer::kAdam) {
    const auto g = views(end.gradient);
    const auto theta = mutable_views(params), m = mutable_views(state.m), v = mutable_views(state.v);
    const auto starts = end.starts != nullptr ? mutable_views(*end.starts) : std::vector<View>{};
    kernels::OuterUpdate k{.clock = advance,
                           .adam = {},
                           .gradient_squares = gradient_squares.mutable_view(),
                           .state_squares = state_squares.mutable_view(),
                           .tasks = tasks > 1 ? tasks : 0,
                           .starts = starts,
                           .row = row};
    k.adam.clip = options.clip, k.adam.schedule = at.schedule.view();
    k.adam.grad = g, k.adam.theta = theta, k.adam.m = m, k.adam.v = v;
    kernels::run(k, context);
    return;
  }
  if (tasks > 1) {
    std::vector<Tensor> mean;
    for (const Tensor& p : params) mean.push_back(Tensor::empty(p.shape(), p.dtype()));
    const auto all = views(end.gradient);
    const auto to = mutable_views(mean);
    kernels::run(kernels::MeanOverTasksList{tasks, all, to}, context);
    end.gradient = std::move(mean);
  }
  const auto g = views(end.gradient);
  kernels::run(kernels::SumOfSquaresList{g, gradient_squares.mutable_view()}, context);
  kernels::run(advance, context);
  update(options, at.schedule, params, state, end.gradient);
  const auto after = views(params);
  kernels::run(kernels::SumOfSquaresList{after, state_squares.mutable_view()}, context);
  if (end.starts != nullptr) {
    const auto starts = mutable_views(*end.starts);
    kernels::run(kernels::RepeatList{after, starts}, context);
  }
  kernels::run(row, context);
}

}  // namespace innerloop::meta
