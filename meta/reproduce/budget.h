// How many iterations fit into the time that there is.
//
// The cost of a unit is fixed + scale * scalable seconds: what a system does whatever the number of its iterations
// (adapting, predicting, fitting forests), and what grows with it. One scale for all units, so that every system gives
// up the same share of its iterations:
//   scale = min(1, (budget - sum fixed) / sum scalable), at least kSmallestScale
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace innerloop::meta::reproduce {

/// Below this share of the configured iterations a comparison says nothing; rather fewer units are done.
inline constexpr double kSmallestScale = 0.02;
/// Of the budget that is planned with: the rest is for what a calibration of seconds does not see.
inline constexpr double kPlannedShare = 0.9;

/// In seconds, `scalable` at scale 1.
struct UnitCost {
  double fixed = 0, scalable = 0;
  double at(double scale) const { return fixed + scale * scalable; }
};

/// 1 without a budget (<= 0).
double scale_for(double budget, std::span<const UnitCost> units);

/// Throws UsageError when not even the cheapest unit at `scale` fits into `budget`, naming the least that would do.
void check_budget(double budget, double scale, std::span<const UnitCost> units);

/// "90s", "15m", "2h", "1h30m", "1d" or plain seconds, in seconds. Throws UsageError naming `option`.
double parse_duration(std::string_view text, std::string_view option);

/// `iterations` scaled, at least 1.
std::int64_t scaled(std::int64_t iterations, double scale);

}  // namespace innerloop::meta::reproduce
