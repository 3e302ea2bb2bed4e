#include "meta/meta_gradient.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "autograd/op.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/transforms.h"
#include "kernels/pack.h"
#include "kernels/update_lists.h"
#include "meta/finite.h"
#include "meta/inner_step_scope.h"
#include "meta/views.h"
#include "meta/work_phase.h"
#include "tensor/host_memory.h"

namespace innerloop::meta {
namespace {

using autograd::Record;
using autograd::RecordScope;
using autograd::Var;
using autograd::Vars;

/// What one program (some tasks, batched) gives back: lambda_0 [T', ...] and the losses.
struct ProgramResult {
  std::vector<Tensor> lambda;
  Tensor query_loss, query_accuracy;
  std::vector<Tensor> support_loss;  // [T'] a step
};

Vars variables(const std::vector<Tensor>& params) {
  Vars out;
  for (const Tensor& p : params) out.push_back(autograd::variable(p));
  return out;
}

/// The task's loss, as a layer of its own in traces and profiles.
Var loss_of(const Var& logits, const Tensor& labels, LossReduction reduction) {
  const autograd::LayerScope layer("loss");
  return autograd::softmax_cross_entropy(logits, labels, reduction);
}


/// The support images, which every step meets again, and the query's; counted to the first step.
std::pair<nn::Images, nn::Images> known_images(const nn::ConvNet& net, const TaskBatch& tasks) {
  const InnerStepScope here(0);
  return net.images(tasks.support_x, tasks.query_x);
}

/// The record of one inner step: the parameters before it, and after it as a function of these.
struct StepRecord {
  Vars theta, next;
  Tensor loss;
};

StepRecord record_step(const nn::ConvNet& net, const std::vector<Tensor>& theta, const nn::Images& support, const Tensor& labels,
                       const InnerOptions& inner) {
  const WorkPhase phase("inner step");
  StepRecord r;
  r.theta = variables(theta);
  nn::ParameterStep step = net.step(r.theta, support, labels, inner.loss, inner.rate, Record::kGraph);
  r.loss = step.loss;
  r.next = std::move(step.next);
  return r;
}

/// lambda <- lambda - rate * H lambda: the tangent of the recorded step, since its Hessian is symmetric.
void apply_transposed_step(const StepRecord& step, std::vector<Tensor>& lambda) {
  const WorkPhase phase("hessian-vector product");
  const Vars along(lambda.begin(), lambda.end());
  lambda = autograd::values(autograd::jvp(step.next, step.theta, along, Record::kValues));
}

/// The query loss at theta, its gradient and the accuracy.
std::vector<Tensor> query_gradient(const nn::ConvNet& net, const std::vector<Tensor>& theta, nn::Images query, const Tensor& labels,
                                   LossReduction reduction, ProgramResult& result) {
  const WorkPhase phase("query gradient");
  const nn::LossGradient found =
      net.loss_gradient(variables(theta), query, labels, reduction, Record::kValues, autograd::HeadFigures::kLossAndAccuracy);
  result.query_loss = found.loss;
  result.query_accuracy = found.accuracy;
  return autograd::values(found.gradient);
}

/// Whether mixed mode keeps the record of every step.
bool keeps_records(const nn::ConvNet& net, const TaskBatch& tasks, const MetaOptions& options) {
  Context& context = Context::current();
  if (options.memory != StepMemory::kAuto || context.device() != nullptr) return options.memory != StepMemory::kRecompute;
  const Tensor& x = tasks.support_x;
  const auto bytes = static_cast<double>(size_of(x.dtype()));
  const double images = static_cast<double>(x.shape()[0] * x.shape()[1]);
  const double record = bytes * (images * static_cast<double>(net.recorded_elements()) +
                                 2 * static_cast<double>(x.shape()[0] * net.parameter_count()));  // and theta_k, grad
  return record * options.inner.steps * context.threads().threads() <= static_cast<double>(host_memory_bytes()) / 4;
}

ProgramResult run_mixed(const nn::ConvNet& net, const std::vector<Tensor>& params, const TaskBatch& tasks,
                        const MetaOptions& options) {
  ProgramResult result;
  const bool second = options.order == Order::kSecond;
  const bool keep = keeps_records(net, tasks, options);
  const auto steps = static_cast<std::size_t>(options.inner.steps);
  std::vector<std::vector<Tensor>> thetas{for_each_task(params, tasks.tasks())};
  std::vector<StepRecord> records(steps);
  auto [support, query] = known_images(net, tasks);
  for (std::size_t k = 0; k < steps; ++k) {
    const InnerStepScope here(static_cast<int>(k));
    StepRecord step = record_step(net, thetas[k], support, tasks.support_y, options.inner);
    result.support_loss.push_back(step.loss);
    thetas.push_back(autograd::values(step.next));
    for (Var& v : step.next) v = v.without_value();  // the record need not keep it beside `thetas`
    if (second && (keep || k + 1 == steps)) records[k] = std::move(step);
    if (!second) thetas[k].clear();
  }
  result.lambda = query_gradient(net, thetas[steps], std::move(query), tasks.query_y, options.inner.loss, result);
  if (!second) return result;
  for (std::size_t k = steps; k-- > 0;) {
    const InnerStepScope here(static_cast<int>(k));
    thetas[k + 1].clear();
    if (records[k].theta.empty()) records[k] = record_step(net, thetas[k], support, tasks.support_y, options.inner);
    apply_transposed_step(records[k], result.lambda);
    records[k] = {};
  }
  return result;
}

ProgramResult run_reverse(const nn::ConvNet& net, const std::vector<Tensor>& params, const TaskBatch& tasks,
                          const MetaOptions& options) {
  ProgramResult result;
  const Vars start = variables(for_each_task(params, tasks.tasks()));
  Vars theta = start;
  const auto [support, query] = known_images(net, tasks);
  for (int k = 0; k < options.inner.steps; ++k) {
    const InnerStepScope here(k);
    const Var loss = loss_of(net.logits(theta, support), tasks.support_y, options.inner.loss);
    result.support_loss.push_back(loss.value());
    const Vars g = autograd::grad(loss, theta, options.order == Order::kSecond ? Record::kGraph : Record::kValues);
    for (std::size_t i = 0; i < theta.size(); ++i) theta[i] = theta[i] - autograd::scale(g[i], options.inner.rate);
  }
  const Var logits = net.logits(theta, query);
  const Var loss = loss_of(logits, tasks.query_y, options.inner.loss);
  result.query_loss = loss.value();
  result.query_accuracy = autograd::accuracy(logits.value(), tasks.query_y);
  result.lambda = autograd::values(autograd::grad(loss, start, Record::kValues));
  return result;
}

/// out = the mean over all tasks of lambda, summed in float64 in task order.
template <class T>
void mean_over_tasks(const std::vector<ProgramResult>& programs, std::size_t parameter, std::int64_t tasks,
                     Tensor& out) {
  constexpr std::int64_t kChunk = 4096;
  const std::int64_t n = out.numel();
  const auto o = out.mutable_data<T>();
  Context::current().threads().parallel_for((n + kChunk - 1) / kChunk, [&](std::int64_t chunk) {
    for (std::int64_t i = chunk * kChunk; i < std::min(n, (chunk + 1) * kChunk); ++i) {
      double total = 0;
      for (const ProgramResult& p : programs) {
        const auto lambda = p.lambda[parameter].data<T>();
        for (std::size_t at = static_cast<std::size_t>(i); at < lambda.size(); at += static_cast<std::size_t>(n))
          total += static_cast<double>(lambda[at]);
      }
      o[static_cast<std::size_t>(i)] = static_cast<T>(total / static_cast<double>(tasks));
    }
  });
}

/// Rows [T', ...] of the programs, one after another.
Tensor concatenate(const std::vector<Tensor>& parts) {
  if (parts.size() == 1) return parts[0];
  std::int64_t rows = 0;
  for (const Tensor& p : parts) rows += p.shape()[0];
  Tensor out = Tensor::empty(parts[0].shape().with(0, rows), parts[0].dtype());
  std::int64_t at = 0;
  for (const Tensor& p : parts) {
    out.slice(at, p.shape()[0]).copy_from(p);
    at += p.shape()[0];
  }
  return out;
}

/// The mean over all tasks of each parameter's lambda.
void mean_over_programs(const std::vector<ProgramResult>& programs, std::int64_t tasks, std::vector<Tensor>& gradient) {
  if (programs.size() > 1 && Context::current().device() == nullptr) {
    // One pass over the lambdas where they lie, by all threads: a copy of them side by side would be the largest thing of all.
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      if (gradient[i].dtype() == DType::kF32)
        mean_over_tasks<float>(programs, i, tasks, gradient[i]);
      else
        mean_over_tasks<double>(programs, i, tasks, gradient[i]);
    }
    return;
  }
  std::vector<Tensor> lambda;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    std::vector<Tensor> parts;
    for (const ProgramResult& p : programs) parts.push_back(p.lambda[i]);
    lambda.push_back(concatenate(parts));
  }
  const auto x = views(lambda);
  const auto y = mutable_views(gradient);
  kernels::run(kernels::MeanOverTasksList{tasks, x, y}, Context::current());
}

/// All but the gradient.
MetaResult figures_of(const std::vector<ProgramResult>& programs, int steps) {
  MetaResult result;
  std::vector<Tensor> loss, accuracy;
  for (const ProgramResult& p : programs) {
    loss.push_back(p.query_loss);
    accuracy.push_back(p.query_accuracy);
  }
  result.query_loss = concatenate(loss);
  result.query_accuracy = concatenate(accuracy);
  for (int k = 0; k < steps; ++k) {
    std::vector<Tensor> parts;
    for (const ProgramResult& p : programs) parts.push_back(p.support_loss[static_cast<std::size_t>(k)]);
    result.support_loss.push_back(concatenate(parts));
  }
  return result;
}

ProgramResult run_program(const nn::ConvNet& net, const std::vector<Tensor>& params, const TaskBatch& tasks, const MetaOptions& options) {
  return options.method == Method::kMixed ? run_mixed(net, params, tasks, options) : run_reverse(net, params, tasks, options);
}

/// Tasks of a program.
std::int64_t tasks_each(const TaskBatch& tasks, const MetaOptions& options) {
  if (options.tasks_per_program > 0) return options.tasks_per_program;
  return Context::current().device() != nullptr ? tasks.tasks() : 1;
}

void check(const nn::ConvNet& net, const std::vector<Tensor>& params, const TaskBatch& tasks) {
  IL_CHECK(params.size() == net.names().size(), "meta-gradient: {} parameters for a model with {}", params.size(),
           net.names().size());
  const Shape &sx = tasks.support_x.shape(), &sy = tasks.support_y.shape(), &qx = tasks.query_x.shape(),
              &qy = tasks.query_y.shape();
  IL_CHECK(
      sx.rank() == 5 && qx.rank() == 5 && sx[0] >= 1 && sx[0] == qx[0] && sy == (Shape{sx[0], sx[1]}) &&
          qy == (Shape{qx[0], qx[1]}) && sx[1] >= 1 && qx[1] >= 1,
      "meta-gradient: support {} with labels {}, query {} with labels {}; [T, N, H, W, C] and [T, N] with one T are "
      "needed",
      sx.to_string(), sy.to_string(), qx.to_string(), qy.to_string());
}

}  // namespace

bool in_one_program(const TaskBatch& tasks, const MetaOptions& options) { return tasks_each(tasks, options) >= tasks.tasks(); }

MetaResult task_gradients(const nn::ConvNet& net, const std::vector<Tensor>& params, const TaskBatch& tasks, const MetaOptions& options) {
  check(net, params, tasks);
  IL_CHECK(in_one_program(tasks, options), "meta-gradient: {} tasks in several programs have no gradients side by side", tasks.tasks());
  ProgramResult program = run_program(net, params, tasks, options);
  MetaResult result = figures_of({program}, options.inner.steps);
  result.gradient = std::move(program.lambda);
  return result;
}

MetaResult meta_gradient(const nn::ConvNet& net, const std::vector<Tensor>& params, const TaskBatch& tasks,
                         const MetaOptions& options) {
  check(net, params, tasks);
  Context& context = Context::current();
  const std::int64_t each = tasks_each(tasks, options), programs = (tasks.tasks() + each - 1) / each;
  std::vector<ProgramResult> results(static_cast<std::size_t>(programs));
  context.threads().parallel_for(programs, [&](std::int64_t i) {
    ContextScope scope(context);
    const TaskBatch part = tasks.slice(i * each, std::min(each, tasks.tasks() - i * each));
    results[static_cast<std::size_t>(i)] = run_program(net, params, part, options);
  });
  MetaResult result = figures_of(results, options.inner.steps);
  for (const Tensor& p : params) result.gradient.push_back(Tensor::empty(p.shape().with(0, 1), p.dtype()));
  mean_over_programs(results, tasks.tasks(), result.gradient);
  return result;
}

Tensor support_loss_of(const MetaResult& result) {
  const std::int64_t tasks = result.query_loss.shape()[0];
  if (result.support_loss.size() == 1) return result.support_loss[0].reshape({tasks, 1});
  Tensor all = Tensor::empty({tasks, std::ssize(result.support_loss)}, result.query_loss.dtype());
  const auto columns = views(result.support_loss);
  kernels::run(kernels::Interleave{columns, all.mutable_view()}, Context::current());
  return all;
}

double meta_loss(const nn::ConvNet& net, const std::vector<Tensor>& params, const TaskBatch& tasks,
                 const InnerOptions& inner) {
  check(net, params, tasks);
  RecordScope off(false);
  double total = 0;
  for (std::int64_t t = 0; t < tasks.tasks(); ++t) {
    const TaskBatch task = tasks.slice(t, 1);
    std::vector<Tensor> theta;
    {
      RecordScope on(true);
      theta = adapt(net, params, task.support_x, task.support_y, inner);
    }
    const Vars at(theta.begin(), theta.end());
    total += autograd::softmax_cross_entropy(net.logits(at, task.query_x), task.query_y, inner.loss).value().item();
  }
  return total / static_cast<double>(tasks.tasks());
}

double norm(const std::vector<Tensor>& tensors) {
  double squares = 0;
  for (const Tensor& t : tensors) squares += sum_of_squares(t);
  return std::sqrt(squares);
}

}  // namespace innerloop::meta
