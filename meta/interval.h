// Confidence intervals of a mean over few independent values, such as the folds of a cross-validation.
//
// Folds share training images, so their values are not quite independent and an interval over them is a little too
// narrow (Bengio and Grandvalet, JMLR 5:1089, 2004); whoever reports one should say so.
#pragma once

#include <span>

#include "meta/metrics.h"

namespace innerloop::meta {

/// The distribution function of Student's t with `degrees` of freedom at t >= 0, minus 1/2 and doubled: P(|T| <= t). By
/// the finite series for whole degrees (Abramowitz and Stegun, 26.7.3 and 26.7.4). Throws Error unless degrees >= 1.
double student_t_within(double t, int degrees);

/// The t with P(|T| <= t) = level, by Newton's method kept between bounds. Throws Error unless 0 < level < 1.
double student_t_quantile(double level, int degrees);

/// mean +- t s / sqrt(n): s the sample standard deviation (divisor n - 1), t the quantile of n - 1 degrees of freedom
/// at `level`. For one value the half width is NaN. Throws Error when empty or when a value is NaN.
Estimate mean_with_t_interval(std::span<const double> values, double level = 0.95);

}  // namespace innerloop::meta
