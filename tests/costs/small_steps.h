// Meta-steps of the presets at a size that takes a moment, for counting what they cost.
#pragma once

#include <string>
#include <vector>

#include "io/config.h"
#include "kernels/tally.h"

namespace innerloop::costs {

struct StepCost {
  kernels::KernelTally::Entry all;
  std::size_t peak_bytes = 0;  ///< of the arena, above what was there before
};

/// The preset's own network, task and inner loop, on 2 tasks of images of at most 32x32; omniglot also with K = 5.
struct SmallStep {
  std::string name;
  io::Config config;
};
std::vector<SmallStep> small_steps();

/// Of one meta-step of training, on one thread with the portable kernels: draw, inner steps, meta-gradient, optimizer. The step
/// before it is not counted.
StepCost cost_of_step(const io::Config& config);

}  // namespace innerloop::costs
