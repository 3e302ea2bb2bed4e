// Wilcoxon's signed-rank test of paired values, such as the accuracies of two systems on the same folds.
//
// Source: Wilcoxon, Biometrics Bulletin 1:80, 1945. Conventions:
// * Zeros: pairs without a difference are dropped, and n is what is left (Wilcoxon's own way, scipy's "wilcox").
// * Ties: equal absolute differences share the mean of their ranks.
// * Up to n = kWilcoxonExact the distribution of W+ is exact: all 2^n signs of the ranks at hand, ties included (scipy's
//   PermutationMethod over all of them), by dynamic programming over twice the ranks, which are whole.
// * Beyond, it is normal with variance n (n + 1) (2 n + 1) / 24 - sum (t^3 - t) / 48 over ties of size t, without
//   continuity correction.
// Two-sided: twice the smaller tail, at most 1. With no difference left p = 1: nothing speaks against equality.
#pragma once

#include <cstdint>
#include <span>

namespace innerloop::meta {

inline constexpr std::int64_t kWilcoxonExact = 50;

struct SignedRank {
  std::int64_t n = 0;      ///< pairs that differ
  std::int64_t zeros = 0;  ///< pairs that do not
  double positive = 0;     ///< W+: the sum of the ranks where a > b
  double negative = 0;     ///< W-
  double p = 1;            ///< two-sided
  bool exact = true;
};

/// Throws Error when the lengths differ, nothing is given, or a value is not finite.
SignedRank wilcoxon_signed_rank(std::span<const double> a, std::span<const double> b);

}  // namespace innerloop::meta
