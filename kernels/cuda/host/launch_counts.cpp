#include "kernels/cuda/host/launch_counts.h"

#include "kernels/cuda/host/diagnostics.h"
#include "kernels/cuda/host/runtime.h"

namespace innerloop::host_executor {
namespace {

/// Kernels by address: a name costs a search, and templates have many.
struct Launched {
  std::map<const void*, std::uint64_t> kernels;
  std::uint64_t copies = 0, fills = 0;
};

Launched& launched() {
  static auto* const all = new Launched;
  return *all;
}

}  // namespace

LaunchCounts launch_counts() {
  const std::lock_guard lock(runtime_mutex());
  LaunchCounts counts;
  for (const auto& [address, count] : launched().kernels) {
    const std::string name = unqualified(function_name(address));
    counts[name.substr(0, name.find('<'))] += count;
  }
  if (launched().copies > 0) counts["copy"] = launched().copies;
  if (launched().fills > 0) counts["fill"] = launched().fills;
  return counts;
}

void reset_launch_counts() {
  const std::lock_guard lock(runtime_mutex());
  launched() = {};
}

void count_launch(const void* kernel) { ++launched().kernels[kernel]; }
void count_copy() { ++launched().copies; }
void count_fill() { ++launched().fills; }

}  // namespace innerloop::host_executor
