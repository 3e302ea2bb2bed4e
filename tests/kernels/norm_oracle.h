// The norm-ReLU-pool family in float64, straight from the formulas of kernels/norm.h.
#pragma once

#include <array>

#include "kernels/norm.h"
#include "tests/kernels/harness.h"

namespace innerloop::kernels::harness {

using Nums = std::vector<Num>;

struct NormDims {
  std::int64_t t, n, h, w, k;
  Pool pool;
  std::int64_t side() const { return pool == Pool::kNone ? 1 : 2; }
  std::int64_t ph() const { return h / side(); }
  std::int64_t pw() const { return w / side(); }
  double m() const { return static_cast<double>(n * h * w); }
  Shape y() const { return {t, n, h, w, k}; }
  Shape p() const { return {t, n, ph(), pw(), k}; }
  Shape channels() const { return {t, k}; }
  std::size_t at(std::int64_t task, std::int64_t image, std::int64_t row, std::int64_t column, std::int64_t c) const {
    return static_cast<std::size_t>((((task * n + image) * h + row) * w + column) * k + c);
  }
  std::size_t pooled(std::int64_t task, std::int64_t image, std::int64_t row, std::int64_t column,
                     std::int64_t c) const {
    return static_cast<std::size_t>((((task * n + image) * ph() + row) * pw() + column) * k + c);
  }
  /// f(y index) over the pixels of (task, channel).
  template <class F>
  void pixels(std::int64_t task, std::int64_t c, const F& f) const {
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t r = 0; r < h; ++r)
        for (std::int64_t q = 0; q < w; ++q) f(at(task, i, r, q, c));
  }
  /// f(pooled index, y indices of the window) over the windows of (task, channel).
  template <class F>
  void windows(std::int64_t task, std::int64_t c, const F& f) const {
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t r = 0; r < ph(); ++r)
        for (std::int64_t q = 0; q < pw(); ++q) {
          std::vector<std::size_t> window;
          for (std::int64_t a = 0; a < side(); ++a)
            for (std::int64_t b = 0; b < side(); ++b) window.push_back(at(task, i, r * side() + a, q * side() + b, c));
          f(pooled(task, i, r, q, c), window);
        }
  }
};

/// Element (task, channel) of a [T|1, K] array; `otherwise` where it is absent.
inline Num channel(const Array& a, std::int64_t task, std::int64_t c, double otherwise) {
  if (!a) return otherwise;
  return a[static_cast<std::size_t>((a.shape()[0] == 1 ? 0 : task) * a.shape()[1] + c)];
}
inline Num element(const Array& a, std::size_t i) { return a ? Num(a[i]) : Num(0.0); }

/// What the gradient kernels are given.
struct NormPrimal {
  NormDims d;
  Array y, gamma, beta, mean, rstd, choice, gp;
  Num xhat(std::int64_t t, std::int64_t c, std::size_t i) const {
    return channel(rstd, t, c, 0) * (Num(y[i]) - channel(mean, t, c, 0));
  }
  Num z(std::int64_t t, std::int64_t c, std::size_t i) const {
    return channel(gamma, t, c, 1) * xhat(t, c, i) + channel(beta, t, c, 0);
  }
  /// The cotangent of z at every pixel: `pooled` at the chosen positions.
  Nums scatter(const Array& pooled) const {
    Nums g(y.size());
    if (!pooled) return g;
    for (std::int64_t t = 0; t < d.t; ++t)
      for (std::int64_t c = 0; c < d.k; ++c)
        d.windows(t, c, [&](std::size_t q, const std::vector<std::size_t>& window) {
          if (choice[q] != kDead) g[window[static_cast<std::size_t>(choice[q])]] = pooled[q];
        });
    return g;
  }
};

struct NormTangent {
  Array ty, tmean, trstd, tgamma, tbeta, tgp;
};

struct NormGradResult {
  Nums gy, ggamma, gbeta;
};
struct NormJvpResult {
  Nums tp, tmean, trstd;
};

inline NormGradResult oracle_grad(const NormPrimal& in) {
  const NormDims& d = in.d;
  NormGradResult out{Nums(in.y.size()), Nums(static_cast<std::size_t>(d.t * d.k)),
                     Nums(static_cast<std::size_t>(d.t * d.k))};
  const Nums gz = in.scatter(in.gp);
  for (std::int64_t t = 0; t < d.t; ++t)
    for (std::int64_t c = 0; c < d.k; ++c) {
      const auto tc = static_cast<std::size_t>(t * d.k + c);
      d.pixels(t, c, [&](std::size_t i) {
        out.gbeta[tc] += gz[i];
        out.ggamma[tc] += gz[i] * in.xhat(t, c, i);
      });
      const Num scale = channel(in.gamma, t, c, 1) * channel(in.rstd, t, c, 0);
      d.pixels(t, c, [&](std::size_t i) {
        out.gy[i] =
            scale * (gz[i] - out.gbeta[tc] * Num(1 / d.m()) - in.xhat(t, c, i) * out.ggamma[tc] * Num(1 / d.m()));
      });
    }
  return out;
}

inline NormJvpResult oracle_jvp(const NormPrimal& in, const NormTangent& tan) {
  const NormDims& d = in.d;
  const auto channels = static_cast<std::size_t>(d.t * d.k);
  NormJvpResult out{Nums(in.choice.size()), Nums(channels), Nums(channels)};
  for (std::int64_t t = 0; t < d.t; ++t)
    for (std::int64_t c = 0; c < d.k; ++c) {
      const auto tc = static_cast<std::size_t>(t * d.k + c);
      Num mean, along;
      d.pixels(t, c, [&](std::size_t i) {
        mean += element(tan.ty, i) * Num(1 / d.m());
        along += element(tan.ty, i) * in.xhat(t, c, i) * Num(1 / d.m());
      });
      const Num rstd = channel(in.rstd, t, c, 0);
      out.tmean[tc] = mean;
      out.trstd[tc] = Num(-1) * rstd * rstd * along;
      d.windows(t, c, [&](std::size_t q, const std::vector<std::size_t>& window) {
        if (in.choice[q] == kDead) return;
        const std::size_t i = window[static_cast<std::size_t>(in.choice[q])];
        const Num txhat = rstd * (element(tan.ty, i) - mean - in.xhat(t, c, i) * along);
        out.tp[q] = channel(tan.tgamma, t, c, 0) * in.xhat(t, c, i) + channel(in.gamma, t, c, 1) * txhat +
                    channel(tan.tbeta, t, c, 0);
      });
    }
  return out;
}

/// gy of the result is tgy, ggamma is tggamma, gbeta is tgbeta. `ggamma` and `gbeta` are the primal sums.
inline NormGradResult oracle_grad_jvp(const NormPrimal& in, const Array& ggamma, const Array& gbeta,
                                      const NormTangent& tan) {
  const NormDims& d = in.d;
  const auto channels = static_cast<std::size_t>(d.t * d.k);
  NormGradResult out{Nums(in.y.size()), Nums(channels), Nums(channels)};
  const Nums gz = in.scatter(in.gp), tgz = in.scatter(tan.tgp);
  const Num per_pixel(1 / d.m());
  for (std::int64_t t = 0; t < d.t; ++t)
    for (std::int64_t c = 0; c < d.k; ++c) {
      const auto tc = static_cast<std::size_t>(t * d.k + c);
      const Num mean = channel(in.mean, t, c, 0), rstd = channel(in.rstd, t, c, 0), gamma = channel(in.gamma, t, c, 1);
      const Num tmean = channel(tan.tmean, t, c, 0), trstd = channel(tan.trstd, t, c, 0);
      const Num tgamma = channel(tan.tgamma, t, c, 0), gg = ggamma[tc], gb = gbeta[tc];
      const auto txhat = [&](std::size_t i) {
        return trstd * (Num(in.y[i]) - mean) + rstd * (element(tan.ty, i) - tmean);
      };
      d.pixels(t, c, [&](std::size_t i) {
        out.gbeta[tc] += tgz[i];
        out.ggamma[tc] += tgz[i] * in.xhat(t, c, i) + gz[i] * txhat(i);
      });
      d.pixels(t, c, [&](std::size_t i) {
        const Num r = gz[i] - gb * per_pixel - in.xhat(t, c, i) * gg * per_pixel;
        out.gy[i] =
            (tgamma * rstd + gamma * trstd) * r + gamma * rstd *
                                                      (tgz[i] - out.gbeta[tc] * per_pixel - txhat(i) * gg * per_pixel -
                                                       in.xhat(t, c, i) * out.ggamma[tc] * per_pixel);
      });
    }
  return out;
}

}  // namespace innerloop::kernels::harness
