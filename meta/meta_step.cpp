#include "meta/meta_step.h"

#include <cmath>
#include <limits>

#include "meta/work_phase.h"
#include "tensor/arena_stats.h"
#include "tensor/trace.h"

namespace innerloop::meta {
namespace {

std::vector<Tensor> copies(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> out;
  for (const Tensor& t : tensors) out.push_back(t.clone());
  return out;
}

std::vector<Tensor> on_host(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> out;
  for (const Tensor& t : tensors) out.push_back(t.device() != nullptr ? t.to_host() : t.clone());
  return out;
}

/// Where a row of the ring keeps what, all f64. Losses on the support set: those of the first step, then those of the next.
struct RowLayout {
  std::int64_t tasks, steps, parameters, moments;

  std::int64_t query_loss() const { return 0; }
  std::int64_t query_accuracy() const { return tasks; }
  std::int64_t support_loss() const { return 2 * tasks; }
  std::int64_t gradient() const { return support_loss() + tasks * steps; }
  std::int64_t state() const { return gradient() + parameters; }
  std::int64_t width() const { return state() + parameters + moments; }
};

RowLayout layout_of(const TaskSource& source, const MetaOptions& options, std::size_t parameters, std::size_t moments) {
  return {source.options().tasks, options.inner.steps, static_cast<std::int64_t>(parameters),
          static_cast<std::int64_t>(moments)};
}

}  // namespace

/// What a replay needs to be right: the record, and the arena whose blocks it writes to. Nothing else may be given those blocks
/// while the record lives, so the program has an arena of its own.
struct MetaStep::Program {
  std::unique_ptr<Context> context;  ///< none on a CPU: the caller's
  bool warm = false;                 ///< one step was launched: all blocks, plans and choices are there
  std::shared_ptr<Recording> recording;
};

MetaStep::MetaStep(const nn::ConvNet& net, const TaskSource& source, const OptimizerOptions& optimizer,
                   const MetaOptions& options, Replay replay)
    : net_(net),
      source_(source),
      optimizer_(optimizer),
      options_(options),
      replay_(replay),
      program_(std::make_unique<Program>()) {
  if (Context::current().device() != nullptr) {
    program_->context = std::make_unique<Context>(default_device());
    program_->context->set_finite_check(Context::current().finite_check());
  }
}

MetaStep::~MetaStep() = default;

void MetaStep::set(const std::vector<Tensor>& params, const OptimizerState& state) {
  ContextScope scope(program_->context ? *program_->context : Context::current());
  params_ = copies(params);
  state_ = {state.step, copies(state.m), copies(state.v)};
  at_.clock = Tensor::full({1}, DType::kI64, static_cast<double>(state.step));
  at_.table = schedule_table(optimizer_);
  at_.schedule = Tensor::zeros({3}, DType::kF64);
  at_.ring = Tensor::zeros({kMaxBurst, layout_of(source_, options_, params.size(), 2 * state.m.size()).width()}, DType::kF64);
  starts_ = whole_batch() ? for_each_task(params_, source_.options().tasks) : std::vector<Tensor>{};
  program_->warm = false;
  program_->recording = nullptr;
}

std::vector<Tensor> MetaStep::params() const { return on_host(params_); }

OptimizerState MetaStep::state() const { return {state_.step, on_host(state_.m), on_host(state_.v)}; }

bool MetaStep::whole_batch() const {
  const std::int64_t each = options_.tasks_per_program;
  return program_->context != nullptr && (each == 0 || each >= source_.options().tasks);
}

void MetaStep::one_step() {
  const TraceRange range("meta-step");
  const TaskBatch tasks = source_.draw(at_.clock);
  MetaResult result = whole_batch() ? task_gradients(net_, starts_, tasks, options_) : meta_gradient(net_, params_, tasks, options_);
  const WorkPhase outer("outer update");
  StepEnd end{std::move(result.gradient), {result.query_loss, result.query_accuracy}, whole_batch() ? &starts_ : nullptr};
  end.figures.insert(end.figures.end(), result.support_loss.begin(), result.support_loss.end());
  timed_update(optimizer_, at_, params_, state_, std::move(end));
}

void MetaStep::launch_or_replay() {
  Device* device = Context::current().device();
  if (device == nullptr || replay_ == Replay::kOff || !program_->warm) {
    one_step();
    program_->warm = true;
    return;
  }
  if (program_->recording == nullptr) program_->recording = device->record([this] { one_step(); });
  device->replay(*program_->recording);
}

std::int64_t MetaStep::recorded_nodes() const {
  return program_->recording != nullptr ? program_->recording->nodes() : 0;
}

std::size_t MetaStep::peak_bytes() const {
  return program_->context != nullptr ? program_->context->arena().stats().peak : 0;
}

std::vector<StepFigures> MetaStep::run(std::int64_t count) {
  IL_CHECK(count >= 1 && count <= kMaxBurst, "meta-step: a burst of {} steps; 1 to {} are possible", count, kMaxBurst);
  IL_CHECK(state_.step + count <= optimizer_.iterations, "meta-step: {} steps after {} of {}", count, state_.step,
           optimizer_.iterations);
  ContextScope scope(program_->context ? *program_->context : Context::current());
  const std::int64_t first = state_.step + 1;
  for (std::int64_t i = 0; i < count; ++i) {
    launch_or_replay();
    ++state_.step;
  }
  const Tensor ring = at_.ring.to_host();
  std::vector<StepFigures> figures;
  for (std::int64_t step = first; step < first + count; ++step) figures.push_back(read_row(ring, step % kMaxBurst));
  return figures;
}

StepFigures MetaStep::read_row(const Tensor& ring, std::int64_t row) const {
  const RowLayout at = layout_of(source_, options_, params_.size(), 2 * state_.m.size());
  const auto all = ring.data<double>().subspan(static_cast<std::size_t>(row * at.width()),
                                               static_cast<std::size_t>(at.width()));
  const auto value = [&](std::int64_t i) { return all[static_cast<std::size_t>(i)]; };
  const auto finite = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      if (!std::isfinite(value(i))) return false;
    return true;
  };
  StepFigures f;
  double squares = 0, inner = 0;
  for (std::int64_t t = 0; t < at.tasks; ++t) {
    f.query_loss += value(at.query_loss() + t);
    f.query_accuracy += value(at.query_accuracy() + t);
    if (at.steps > 0) inner += value(at.support_loss() + (at.steps - 1) * at.tasks + t);
  }
  const auto tasks = static_cast<double>(at.tasks);
  f.query_loss /= tasks;
  f.query_accuracy /= tasks;
  f.inner_loss = at.steps > 0 ? inner / tasks : std::numeric_limits<double>::quiet_NaN();
  for (std::int64_t i = 0; i < at.parameters; ++i) squares += value(at.gradient() + i);
  f.gradient_norm = std::sqrt(squares);
  f.finite_loss = finite(at.query_loss(), at.query_accuracy()) && finite(at.support_loss(), at.gradient());
  f.finite_gradient = finite(at.gradient(), at.state());
  f.finite_parameters = finite(at.state(), at.width());
  return f;
}

}  // namespace innerloop::meta
