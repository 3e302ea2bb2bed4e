#include "meta/wilcoxon.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "tensor/error.h"

namespace innerloop::meta {
namespace {

struct Ranks {
  std::vector<std::int64_t> twice;  ///< twice the mid-rank of each difference, in rising order of its absolute value
  std::vector<bool> positive;
  double tie_sum = 0;  ///< sum of t^3 - t
};

Ranks rank(std::vector<double> differences) {
  std::ranges::sort(differences, {}, [](double d) { return std::abs(d); });
  Ranks out;
  for (std::size_t i = 0; i < differences.size();) {
    std::size_t end = i;
    while (end < differences.size() && std::abs(differences[end]) == std::abs(differences[i])) ++end;
    const auto ties = static_cast<double>(end - i);
    out.tie_sum += ties * ties * ties - ties;
    for (; i < end; ++i) out.positive.push_back(differences[i] > 0);
    // Ranks count from 1: the mean of begin + 1 .. end, doubled.
    const auto begin = static_cast<std::int64_t>(out.twice.size());
    out.twice.insert(out.twice.end(), static_cast<std::size_t>(ties), begin + 1 + static_cast<std::int64_t>(end));
  }
  return out;
}

/// P(2 W+ <= w) and P(2 W+ >= w), each sign equally likely.
struct Tails {
  double lower = 0, upper = 0;
};
Tails exact_tails(const std::vector<std::int64_t>& twice, std::int64_t w) {
  std::vector<double> probability{1};  // of each sum so far; halves of halves, so exact up to 2^-53 of the total
  for (const std::int64_t r : twice) {
    std::vector<double> next(probability.size() + static_cast<std::size_t>(r));
    for (std::size_t s = 0; s < probability.size(); ++s) {
      next[s] += probability[s] / 2;
      next[s + static_cast<std::size_t>(r)] += probability[s] / 2;
    }
    probability = std::move(next);
  }
  Tails tails;
  for (std::size_t s = 0; s < probability.size(); ++s) {
    if (static_cast<std::int64_t>(s) <= w) tails.lower += probability[s];
    if (static_cast<std::int64_t>(s) >= w) tails.upper += probability[s];
  }
  return tails;
}

}  // namespace

SignedRank wilcoxon_signed_rank(std::span<const double> a, std::span<const double> b) {
  IL_CHECK(!a.empty() && a.size() == b.size(),
           "wilcoxon: {} and {} values; as many of each are needed, and at least one", a.size(), b.size());
  SignedRank out;
  std::vector<double> differences;
  for (std::size_t i = 0; i < a.size(); ++i) {
    IL_CHECK(std::isfinite(a[i]) && std::isfinite(b[i]), "wilcoxon: pair {} is ({}, {}); leave that fold out", i, a[i],
             b[i]);
    if (a[i] != b[i]) differences.push_back(a[i] - b[i]);
  }
  out.n = static_cast<std::int64_t>(differences.size());
  out.zeros = static_cast<std::int64_t>(a.size()) - out.n;
  if (out.n == 0) return out;
  const Ranks ranks = rank(std::move(differences));
  std::int64_t twice_positive = 0, twice_all = 0;
  for (std::size_t i = 0; i < ranks.twice.size(); ++i) {
    twice_all += ranks.twice[i];
    if (ranks.positive[i]) twice_positive += ranks.twice[i];
  }
  out.positive = static_cast<double>(twice_positive) / 2;
  out.negative = static_cast<double>(twice_all - twice_positive) / 2;
  out.exact = out.n <= kWilcoxonExact;
  if (out.exact) {
    const Tails tails = exact_tails(ranks.twice, twice_positive);
    out.p = std::min(1.0, 2 * std::min(tails.lower, tails.upper));
  } else {
    const auto n = static_cast<double>(out.n);
    const double variance = n * (n + 1) * (2 * n + 1) / 24 - ranks.tie_sum / 48;
    const double z = (out.positive - n * (n + 1) / 4) / std::sqrt(variance);
    out.p = std::erfc(std::abs(z) / std::numbers::sqrt2);
  }
  return out;
}

}  // namespace innerloop::meta
