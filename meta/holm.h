// Holm's correction for several tests at once (Scandinavian Journal of Statistics 6:65, 1979): it bounds the chance of
// any false rejection without asking that the tests be independent.
#pragma once

#include <span>
#include <vector>

namespace innerloop::meta {

/// Adjusted p values in the order given: with p_(1) <= .. <= p_(m),
///   adjusted_(i) = max over j <= i of min(1, (m - j + 1) p_(j)),
/// so a test is rejected at level alpha when its adjusted p is at most alpha. Throws Error for a p that is not in [0,
/// 1].
std::vector<double> holm_adjusted(std::span<const double> p);

}  // namespace innerloop::meta
