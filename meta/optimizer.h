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

/// What a replayed step reads and moves, where another one is told.
struct StepClock {
  Tensor table;     ///< schedule_table()
  Tensor clock;     ///< i64 [1]: steps done; the next one's schedule is this row of the table
  Tensor schedule;  ///< f64 [3]: that row, once the clock has moved
  Tensor ring;      ///< f64 [rows, width]: step s, counted from 1, has row s % rows for its figures
};

/// What a replayed step makes of its gradient.
struct StepEnd {
  std::vector<Tensor> gradient;  ///< [1, ...] each, or [T, ...] of which the mean is meant; may be changed
  std::vector<Tensor> figures;   ///< f32 or f64: the row of the ring begins with them
  std::vector<Tensor>* starts = nullptr;  ///< the parameters for each task of the next step, [T, ...]
};

/// The same as part of a replayed step, whose clock moves on. Behind the figures the row has sums of squares, which tell norms and whether
/// anything is not finite: of each gradient before the clip, and of the parameters, then m, then v, after the update.
void timed_update(const OptimizerOptions& options, StepClock& at, std::vector<Tensor>& params, OptimizerState& state, StepEnd end);

}  // namespace innerloop::meta
