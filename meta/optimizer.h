// The outer optimizer: Adam or SGD over the parameter list, with a clip before and a schedule above.
//
//   g <- clip(g);  rate_s = rate * (constant: 1 | cosine: (1 + cos(pi (s-1) / iterations)) / 2), s = 1 .. iterations
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

struct OptimizerUpdate {
  std::vector<Tensor> params;
  OptimizerState state;
};

/// The parameters and state after one more update; the arguments stay as they are, so a bad update can be thrown away.
OptimizerUpdate update(const OptimizerOptions& options, const OptimizerState& state, const std::vector<Tensor>& params,
                       const std::vector<Tensor>& gradient);

}  // namespace innerloop::meta
