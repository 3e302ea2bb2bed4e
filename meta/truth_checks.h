// Truth checks: what must hold on any machine before its figures mean anything. Small problems of each preset's shape
// family.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace innerloop::meta {

struct TruthCheck {
  std::string name;  ///< "omniglot: mixed against finite differences"
  double value = 0;  ///< what was measured
  double bound = 0;  ///< what it may be at most
  bool pass = false;
};

/// For each family: the exact meta-gradient against central differences of the meta-loss (float64), mixed against
/// reverse, fused blocks against plain ones, one thread against two (bits), and each CPU instruction set of this
/// machine against the portable kernels (float32). `on_check` sees each result as it comes. Takes a few seconds.
std::vector<TruthCheck> run_truth_checks(const std::function<void(const TruthCheck&)>& on_check = {});

}  // namespace innerloop::meta
