#include "meta/interval.h"

#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "tensor/error.h"

namespace innerloop::meta {
namespace {

/// The density of |T| at t: twice that of T.
double density(double t, int degrees) {
  const double n = degrees;
  const double log_constant = std::lgamma((n + 1) / 2) - std::lgamma(n / 2) - 0.5 * std::log(n * std::numbers::pi);
  return 2 * std::exp(log_constant - (n + 1) / 2 * std::log1p(t * t / n));
}

}  // namespace

double student_t_within(double t, int degrees) {
  IL_CHECK(degrees >= 1 && t >= 0, "student_t: t = {} with {} degrees of freedom; t >= 0 and at least 1 are needed", t,
           degrees);
  const double n = degrees, theta = std::atan(t / std::sqrt(n));
  const double sine = std::sin(theta), cosine = std::cos(theta), square = cosine * cosine;
  // 1 + (first / second) cos^2 + ..: each term is the one before times cos^2 and the next odd (even) over the next even
  // (odd).
  double term = degrees % 2 == 1 ? cosine : 1, sum = 0;
  for (int k = degrees % 2 == 1 ? 2 : 1; k < degrees; k += 2) {
    sum += term;
    term *= square * k / (k + 1);
  }
  return degrees % 2 == 1 ? 2 / std::numbers::pi * (theta + sine * sum) : sine * sum;
}

double student_t_quantile(double level, int degrees) {
  IL_CHECK(level > 0 && level < 1, "student_t: level {} is not in (0, 1)", level);
  double low = 0, high = 1;
  while (student_t_within(high, degrees) < level) low = high, high *= 2;
  double t = (low + high) / 2;
  for (int step = 0; step < 200; ++step) {
    const double error = student_t_within(t, degrees) - level;
    (error < 0 ? low : high) = t;
    double next = t - error / density(t, degrees);
    if (!(next > low && next < high)) next = (low + high) / 2;
    if (std::abs(next - t) <= 1e-15 * t) return next;
    t = next;
  }
  return t;
}

Estimate mean_with_t_interval(std::span<const double> values, double level) {
  IL_CHECK(!values.empty(), "interval: the mean of no values; run at least one fold");
  for (const double value : values)
    IL_CHECK(!std::isnan(value), "interval: a value is not a number; leave that fold out");
  const auto n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  if (values.size() == 1) return {mean, std::numeric_limits<double>::quiet_NaN(), 1};
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const double t = student_t_quantile(level, static_cast<int>(values.size()) - 1);
  return {mean, t * std::sqrt(squares / (n - 1) / n), static_cast<std::int64_t>(values.size())};
}

}  // namespace innerloop::meta
