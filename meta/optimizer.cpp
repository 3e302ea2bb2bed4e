#include "meta/optimizer.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/update.h"

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

OptimizerUpdate update(const OptimizerOptions& options, const OptimizerState& state, const std::vector<Tensor>& params,
                       const std::vector<Tensor>& gradient) {
  const bool adam = options.kind == io::Optimizer::kAdam;
  IL_CHECK(gradient.size() == params.size() &&
               (!adam || (state.m.size() == params.size() && state.v.size() == params.size())),
           "optimizer: {} gradients and {} moments for {} parameters", gradient.size(), state.m.size(), params.size());
  Context& context = Context::current();
  OptimizerUpdate next;
  next.state.step = state.step + 1;
  const double rate = rate_at(options, next.state.step);
  for (std::size_t i = 0; i < params.size(); ++i) {
    Tensor g = gradient[i];
    if (options.clip > 0) {
      g = g.clone();
      kernels::run(kernels::ClipValue{options.clip, g.mutable_view()}, context);
    }
    if (!adam) {
      Tensor out = Tensor::empty(params[i].shape(), params[i].dtype());
      kernels::run(kernels::Sgd{rate, params[i].view(), g.view(), out.mutable_view()}, context);
      next.params.push_back(std::move(out));
      continue;
    }
    Tensor theta = params[i].clone(), m = state.m[i].clone(), v = state.v[i].clone();
    kernels::Adam step;
    step.rate = rate;
    step.step = next.state.step;
    step.grad = g.view();
    step.theta = theta.mutable_view();
    step.m = m.mutable_view();
    step.v = v.mutable_view();
    kernels::run(step, context);
    next.params.push_back(std::move(theta));
    next.state.m.push_back(std::move(m));
    next.state.v.push_back(std::move(v));
  }
  return next;
}

}  // namespace innerloop::meta
