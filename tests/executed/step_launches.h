// What one meta-step launches: counted on the host executor, as recorded in the CUDA graph, at the sizes that are
// trained.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "io/config.h"
#include "kernels/cuda/host/launch_counts.h"

namespace innerloop::executed {

/// A meta-step worth counting, with our own convolution kernels.
struct StepCase {
  std::string name;
  io::Config config;
};

/// Every preset at its own sizes, and `omniglot` with K = 5 for comparison. Where the whole meta-batch would not fit
/// the executor's memory (images of 500x500) it is cut to 2 tasks; the counts depend on sizes a little, as kernels are
/// split where a grid would be small.
std::vector<StepCase> step_cases();

/// Kernels, copies and fills of one replayed step: draw, inner steps, meta-gradient, optimizer, figures. Nothing is
/// computed.
host_executor::LaunchCounts step_launches(const io::Config& config);

/// The phases of a step, as they are named for profilers, in order.
const std::vector<std::string>& step_phases();

/// The same, by where in the step they are asked for: a phase ("between them" outside of all), the op that asks and the
/// kernel.
struct LaunchPlace {
  std::string phase, op, kernel;
  friend auto operator<=>(const LaunchPlace&, const LaunchPlace&) = default;
};
std::map<LaunchPlace, std::uint64_t> step_launches_by_place(const io::Config& config);

std::uint64_t total(const host_executor::LaunchCounts& counts);

}  // namespace innerloop::executed
