#include "support/oracles.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace innerloop::test {
namespace {

std::int64_t windows_that_fit(std::int64_t extent, std::int64_t window, std::int64_t stride) {
  std::int64_t count = 0;
  while (count * stride + window <= extent) ++count;
  return count;
}

}  // namespace

Shape conv_shape(const Shape& x, const Shape& w, const autograd::ConvOptions& o) {
  return {std::max(x[0], w[0]), x[1],
          windows_that_fit(x[2] + o.pad_top + o.pad_bottom, o.dilation_h * (w[1] - 1) + 1, o.stride_h),
          windows_that_fit(x[3] + o.pad_left + o.pad_right, o.dilation_w * (w[2] - 1) + 1, o.stride_w), w[4]};
}

Array conv_oracle(const Array& x, const Array& w, const autograd::ConvOptions& o) {
  Array y(conv_shape(x.shape, w.shape, o));
  for_each_product(
      x.shape, w.shape, y.shape, o,
      [&](auto t, auto n, auto p, auto q, auto k, auto r, auto s, auto c, auto row, auto column, auto channel) {
        y(t, n, p, q, k) += x(task_of(x, t), n, row, column, channel) * w(task_of(w, t), r, s, c, k);
      });
  return y;
}

Shape pool_shape(const Shape& x, const autograd::PoolGeometry& g) {
  return {x[0], x[1], windows_that_fit(x[2], g.window_h, g.stride_h), windows_that_fit(x[3], g.window_w, g.stride_w),
          x[4]};
}

BlockOracle block_oracle(const Array& x, const Array& w, const Array* gamma, const Array& beta,
                         const autograd::ConvBlockOptions& options) {
  const Array y = conv_oracle(x, w, options.conv);
  const Shape channels{y.shape[0], y.shape[4]};
  const auto count = static_cast<double>(y.shape[1] * y.shape[2] * y.shape[3]);
  BlockOracle f;
  f.mean = f.rstd = Array(channels);
  for_each_output(y.shape, [&](auto t, auto n, auto p, auto q, auto k) { f.mean(t, k) += y(t, n, p, q, k) / count; });
  Array variance(channels);
  for_each_output(y.shape, [&](auto t, auto n, auto p, auto q, auto k) {
    variance(t, k) += std::pow(y(t, n, p, q, k) - f.mean(t, k), 2) / count;
  });
  for (std::size_t i = 0; i < variance.v.size(); ++i) f.rstd.v[i] = 1 / std::sqrt(variance.v[i] + options.epsilon);
  Array z(y.shape);
  for_each_output(y.shape, [&](auto t, auto n, auto p, auto q, auto k) {
    const double xhat = f.rstd(t, k) * (y(t, n, p, q, k) - f.mean(t, k));
    z(t, n, p, q, k) = (gamma ? (*gamma)(task_of(*gamma, t), k) * xhat : xhat) + beta(task_of(beta, t), k);
  });

  const bool pools = options.pool == autograd::Pool::kMax2x2;
  const autograd::PoolGeometry window = pools ? autograd::PoolGeometry{} : autograd::PoolGeometry{1, 1, 1, 1};
  f.p = Array(pool_shape(y.shape, window));
  f.margin = std::numeric_limits<double>::infinity();
  for_each_output(f.p.shape, [&](auto t, auto n, auto p, auto q, auto k) {
    double best = -std::numeric_limits<double>::infinity(), next = best;
    int at_best = 0;
    for (int at = 0; at < window.window_h * window.window_w; ++at) {
      const double v = window_element(z, window, t, n, p, q, k, at);
      if (v > best)
        next = best, best = v, at_best = at;
      else
        next = std::max(next, v);
    }
    // The rest of a window matters only where the maximum lives.
    f.margin = std::min({f.margin, std::abs(best), best > 0 ? best - next : std::abs(best)});
    f.decisions.push_back(best > 0 ? at_best : -1);
    f.p(t, n, p, q, k) = std::max(best, 0.0);
  });
  return f;
}

}  // namespace innerloop::test
