// MetaStep: one meta-step as a program that the host need not look into.
//
//   draw tasks and augment -> K inner steps -> exact meta-gradient -> clip, optimizer -> a row of figures
//
// Parameters, moments, the step counter and the schedule stay where the kernels run, and the figures of a step go into a row
// of a ring there; the host reads them after a burst of steps. So a burst has no waiting in it, and on a device one step can
// be recorded once and replayed, with the same bits.
// Determinism: a pure function of (source, parameters, moments, step), at any number of threads, replayed or not.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "meta/meta_gradient.h"
#include "meta/optimizer.h"
#include "meta/task_source.h"

namespace innerloop::meta {

/// What is known of a meta-step afterwards. Losses and accuracies are means over its tasks.
struct StepFigures {
  double query_loss = 0, query_accuracy = 0;
  double inner_loss = 0;  ///< support loss before the last inner step; NaN when there are no inner steps
  double gradient_norm = 0;
  bool finite_loss = true, finite_gradient = true, finite_parameters = true;
};

/// How a device does its steps.
enum class Replay : std::uint8_t {
  kOn,   ///< the second step is recorded, and it and all later ones are replays of the record
  kOff,  ///< every step is launched kernel by kernel
};

class MetaStep {
 public:
  /// The longest burst.
  static constexpr std::int64_t kMaxBurst = 32;

  /// `net` and `source` must outlive it. `optimizer.iterations` is the number of steps that the schedule has.
  MetaStep(const nn::ConvNet& net, const TaskSource& source, const OptimizerOptions& optimizer,
           const MetaOptions& options, Replay replay = Replay::kOn);
  ~MetaStep();
  MetaStep(const MetaStep&) = delete;
  MetaStep& operator=(const MetaStep&) = delete;

  /// Takes copies of the parameters [1, ...] and moments, from wherever they are. state.step is the number of steps done.
  void set(const std::vector<Tensor>& params, const OptimizerState& state);
  /// Copies on the host.
  std::vector<Tensor> params() const;
  OptimizerState state() const;

  /// `count` more steps (1 to kMaxBurst), and their figures. After figures that are not finite the parameters are worth
  /// nothing.
  std::vector<StepFigures> run(std::int64_t count);

  /// Kernels and copies in the record of a step; 0 before there is one.
  std::int64_t recorded_nodes() const;
  /// The largest number of bytes that the step had in use on its device; 0 on a CPU, whose arena is the caller's. The first
  /// step finds it, and no later one asks the system for more: a recording that did would fail.
  std::size_t peak_bytes() const;

 private:
  struct Program;
  bool whole_batch() const;
  void one_step();
  void launch_or_replay();
  StepFigures read_row(const Tensor& ring, std::int64_t row) const;

  const nn::ConvNet& net_;
  const TaskSource& source_;
  const OptimizerOptions optimizer_;
  const MetaOptions options_;
  const Replay replay_;
  std::vector<Tensor> params_;
  OptimizerState state_;
  StepClock at_;                ///< its ring has kMaxBurst rows
  std::vector<Tensor> starts_;  ///< with all tasks in one program on a device: the parameters for each task, written where they are updated
  std::unique_ptr<Program> program_;
};

}  // namespace innerloop::meta
