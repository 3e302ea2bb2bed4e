#include "meta/reproduce/budget.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "io/progress.h"
#include "tensor/error.h"

namespace innerloop::meta::reproduce {

double scale_for(double budget, std::span<const UnitCost> units) {
  if (budget <= 0) return 1;
  double fixed = 0, scalable = 0;
  for (const UnitCost& u : units) {
    fixed += u.fixed;
    scalable += u.scalable;
  }
  if (scalable <= 0) return 1;
  return std::clamp((kPlannedShare * budget - fixed) / scalable, kSmallestScale, 1.0);
}

void check_budget(double budget, double scale, std::span<const UnitCost> units) {
  if (budget <= 0 || units.empty()) return;
  double cheapest = std::numeric_limits<double>::infinity();
  for (const UnitCost& u : units) cheapest = std::min(cheapest, u.at(scale));
  if (cheapest > budget) {
    fail_usage(
        "--budget: {} is too little for a single unit: the cheapest needs about {} even with {:.0f} % of the "
        "iterations; give more time, smaller images (--size) or fewer systems",
        io::format_duration(budget), io::format_duration(cheapest), 100 * scale);
  }
}

double parse_duration(std::string_view text, std::string_view option) {
  const auto refuse = [&]() { fail_usage("{}: '{}' is no duration; write 90s, 15m, 2h, 1h30m or 1d", option, text); };
  double total = 0;
  std::string_view rest = text;
  if (rest.empty()) refuse();
  while (!rest.empty()) {
    double value = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (error != std::errc{} || !std::isfinite(value) || value < 0) refuse();
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    double unit = 1;
    if (!rest.empty()) {
      switch (rest.front()) {
        case 's':
          unit = 1;
          break;
        case 'm':
          unit = 60;
          break;
        case 'h':
          unit = 3600;
          break;
        case 'd':
          unit = 86400;
          break;
        default:
          refuse();
      }
      rest.remove_prefix(1);
    }
    total += value * unit;
  }
  if (total <= 0) refuse();
  return total;
}

std::int64_t scaled(std::int64_t iterations, double scale) {
  return std::max<std::int64_t>(1, std::llround(static_cast<double>(iterations) * scale));
}

}  // namespace innerloop::meta::reproduce
