#include "meta/holm.h"

#include <algorithm>
#include <numeric>

#include "tensor/error.h"

namespace innerloop::meta {

std::vector<double> holm_adjusted(std::span<const double> p) {
  for (const double value : p) IL_CHECK(value >= 0 && value <= 1, "holm: p = {} is not in [0, 1]", value);
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return p[i]; });
  std::vector<double> adjusted(p.size());
  double largest = 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    largest = std::max(largest, std::min(1.0, static_cast<double>(p.size() - rank) * p[order[rank]]));
    adjusted[order[rank]] = largest;
  }
  return adjusted;
}

}  // namespace innerloop::meta
