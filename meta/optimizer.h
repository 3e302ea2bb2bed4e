// The outer optimizer: Adam or SGD over the parameter list, with a clip before and a schedule above.
//
//   g <- clip(g);  rate_s = rate * (constant: 1 | cosine: (1 + cos(pi (s-1) / iterations)) / 2), s = 1 .. iterations
// Nothing here is decided on the host between two steps: what changes from step to step (rate, bias corrections) is a row of
// a table that lies where the parameters do, so that a recorded meta-step can be replayed.
// Determinism: each element is computed alone; the state and the parameters fix the next bits.
#pragma once

#include <cstdint>
#include <vector>

#include "io/config.h"
#include "tensor/tensor.h"

namespace innerloop::meta {

struct OptimizerOptions {
  io::Optimizer kind = io::Optimizer::kAdam;
  double rate = 0.001;
  io::Schedule schedule = io::Schedule::kConstant;
  std::int64_t iterations = 1000;  ///< the length of the cosine
  double clip = 0;                 ///< bound on each value of the gradient; 0: none
};

OptimizerOptions optimizer_options(const io::Config& config);

/// The rate of step `step`, counted from 1.
double rate_at(const OptimizerOptions& options, std::int64_t step);

struct OptimizerState {
  std::int64_t step = 0;     ///< updates done
  std::vector<Tensor> m, v;  ///< Adam's moments, as the parameters; empty for SGD
};

/// Zero moments (Adam) or none (SGD).
OptimizerState init_optimizer(const OptimizerOptions& options, const std::vector<Tensor>& params);

/// f64 [3], the row of the table for this step.
Tensor schedule_row(const OptimizerOptions& options, std::int64_t step);
/// f64 [iterations, 3]: for each step its rate and Adam's bias corrections 1/(1-beta1^step) and 1/(1-beta2^step).
Tensor schedule_table(const OptimizerOptions& options);

/// One more update, in place: the parameters and the moments change, and the gradient may (by the clip). `schedule` is f64 [3], the row
/// of the table for this step. state.step is the caller's to count: a replayed step does not come by here.
void update(const OptimizerOptions& options, const Tensor& schedule, std::vector<Tensor>& params, OptimizerState& state,
            std::vector<Tensor>& gradient);

/// Sums of squares of each tensor, f64: they tell norms, and whether anything is not finite.
struct UpdateSquares {
  Tensor gradient;  ///< [n], before the clip
  Tensor state;     ///< [n + moments]: parameters, then m, then v, after the update
};

/// The same as part of a replayed step: the schedule is the row of `table` (schedule_table()) that `clock`, i64 [1], points at, and the
/// clock moves on.
UpdateSquares timed_update(const OptimizerOptions& options, const Tensor& table, Tensor& clock, Tensor& schedule,
                           std::vector<Tensor>& params, OptimizerState& state, std::vector<Tensor>& gradient);

}  // namespace innerloop::meta
