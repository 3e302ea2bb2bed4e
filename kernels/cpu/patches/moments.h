// What the moments of the patches (kernels/patch_moments.h) say of y for given weights.
#pragma once

#include "kernels/cpu/dispatch.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

/// For weights w [D, K]: m . w [K] and S w [D, K].
template <class T>
class WeightedMoments {
 public:
  WeightedMoments(const double* moments, const T* w, std::int64_t taps, std::int64_t filters, Context& context)
      : moments_(moments), filters_(filters), memory_(context, (1 + taps) * filters) {
    double* const mean = memory_.data();
    for (std::int64_t i = 0; i < (1 + taps) * filters; ++i) mean[i] = 0;
    const double* factor = moments;
    for (std::int64_t i = 0; i <= taps; ++i)  // row 0: m
      for (std::int64_t j = 0; j < taps; ++j, ++factor)
        for (std::int64_t k = 0; k < filters; ++k)
          mean[i * filters + k] += *factor * static_cast<double>(w[j * filters + k]);
  }

  double mean(std::int64_t k) const { return memory_.data()[k]; }
  double covariance(std::int64_t tap, std::int64_t k) const { return memory_.data()[(1 + tap) * filters_ + k]; }
  /// The mean of (y - centre) u: S w where `centre` is the mean of y.
  double about(double centre, std::int64_t tap, std::int64_t k) const {
    return covariance(tap, k) + (mean(k) - centre) * moments_[tap];
  }

 private:
  const double* moments_;
  std::int64_t filters_;
  Scratch<double> memory_;
};

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
