// What the tests of sampling share: comparison of bits, a chi-square bound, error texts.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "tensor/tensor.h"
#include "tests/support/error_of.h"

namespace innerloop::kernels {

inline bool same_bits(const Tensor& a, const Tensor& b) {
  return a.bytes() == b.bytes() && std::memcmp(a.view().data, b.view().data, a.bytes()) == 0;
}

/// Pearson's chi-square against equal expectations, bounded at five deviations above its mean. Seeds are fixed, so this
/// holds or not, once for all; a sampler that is off by a few per cent of a bin's share fails it at the counts used
/// here.
inline void expect_uniform(const std::vector<double>& counts) {
  double total = 0;
  for (const double count : counts) total += count;
  const double expected = total / static_cast<double>(counts.size());
  double chi_square = 0;
  for (const double count : counts) chi_square += (count - expected) * (count - expected) / expected;
  const auto freedom = static_cast<double>(counts.size()) - 1;
  EXPECT_LT(chi_square, freedom + 5 * std::sqrt(2 * freedom));
}

using test::error_of;

}  // namespace innerloop::kernels
