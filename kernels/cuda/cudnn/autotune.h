// Choosing among plans by time. Needs a GPU; written against the documented interface and not yet measured on one.
#pragma once

#include <cstddef>
#include <vector>

#include "kernels/cuda/cudnn/conv_plan.h"

namespace innerloop::kernels::cudnn {

struct AutotuneOptions {
  std::size_t candidates = 8;  ///< how far down the heuristics' list to go
  int repeats = 5;             ///< timed executions of each, after one that is not
};

struct TimedPlan {
  std::shared_ptr<const ConvPlan> plan;
  float median_ms = 0;
};

/// Times the candidates for `problem` on the handle's stream, puts the fastest (of equals, the heuristics' favourite)
/// into the cache and returns all, fastest first. Operands and workspaces are zeros allocated here: the times are those
/// of the arithmetic, at the clocks that zeros allow. Waits for the stream and allocates, so never call it under
/// capture. The choice depends on the clock and may differ from run to run; each candidate alone is as deterministic as
/// asked. A candidate that fails to run is left out. Throws where none is left.
std::vector<TimedPlan> autotune(const ConvProblem& problem, const PlanOptions& options, const Device& device,
                                cudnnHandle_t handle, PlanCache& cache, const AutotuneOptions& how);

}  // namespace innerloop::kernels::cudnn
