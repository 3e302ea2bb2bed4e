// Norm-ReLU-pool, tangent of the gradient: sums on the pooled grid, then gy and tgy in one dense pass.
//
//   gy  = A gz + X (y - mean) + C
//   tgy = P gz + A tgz + D (y - mean) + X (ty - tmean) + E
//   A = gamma rstd,  P = tgamma rstd + gamma trstd,  X = -A rstd ggamma/M,  C = -A gbeta/M,
//   D = -P rstd ggamma/M - A (trstd ggamma + rstd tggamma)/M,  E = -(P gbeta + A tgbeta)/M
#pragma once

#include "kernels/cpu/norm_grid.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

/// One task's tangent of the gradient. `k.gy` and `k.tgy` are not looked at: who wants gy and tgy says where they go.
template <int kSide, class T>
class NormGradTangent {
 public:
  NormGradTangent(const NormReluPoolGradJvp& k, const NormGrid<T>& grid, std::int64_t t, Context& context)
      : grid_(grid),
        maps_(stored_maps(grid, t, k.y, k.ty)),
        offsets_(grid),
        constants_(grid, context),
        gp_(k.gp.as<T>() + t * grid.pooled_elements()),
        tgp_(k.tgp ? k.tgp.as<T>() + t * grid.pooled_elements() : nullptr),
        choice_(k.choice.as<std::uint8_t>() + t * grid.pooled_elements()) {
    const T *mean = line_of<T>(k.mean, t), *rstd = line_of<T>(k.rstd, t), *gamma = line_of<T>(k.gamma, t);
    const T *tmean = line_of<T>(k.tmean, t), *trstd = line_of<T>(k.trstd, t), *tgamma = line_of<T>(k.tgamma, t);
    const T *ggamma = line_of<T>(k.ggamma, t), *gbeta = line_of<T>(k.gbeta, t);
    for (std::int64_t c = 0; c < grid_.channels; ++c) {
      constants_.set(kMean, c, static_cast<double>(mean[c]));
      constants_.set(kTMean, c, at_or(tmean, c, 0));
    }
    const Scratch<double> sums(context, 2 * grid_.padded);
    sum(sums.data(), context);
    for (std::int64_t c = 0; c < grid_.channels; ++c) {
      const double s = static_cast<double>(rstd[c]), ts = at_or(trstd, c, 0), g = at_or(gamma, c, 1);
      const double gg = static_cast<double>(ggamma[c]), gb = static_cast<double>(gbeta[c]), m = grid_.per_pixel;
      // sum gz (y - mean) is ggamma/rstd, known from the gradient.
      const double tgb = sums.data()[c], tgg = s * sums.data()[grid_.padded + c] + ts * (gg / s);
      const double a = g * s, p = at_or(tgamma, c, 0) * s + g * ts;
      k.tgbeta.as<T>()[t * grid_.channels + c] = static_cast<T>(tgb);
      k.tggamma.as<T>()[t * grid_.channels + c] = static_cast<T>(tgg);
      constants_.set(kA, c, a);
      constants_.set(kP, c, p);
      constants_.set(kX, c, -a * s * gg * m);
      constants_.set(kC, c, -a * gb * m);
      constants_.set(kD, c, -(p * s * gg + a * (ts * gg + s * tgg)) * m);
      constants_.set(kE, c, -(p * gb + a * tgb) * m);
    }
  }

  /// gy (unless it is null) and tgy of the bands [begin, end) for a vector of channels, to places counted as by NormGrad.
  template <class Lanes>
  IL_INLINE void write(const Lanes& lanes, std::int64_t at, std::int64_t begin, std::int64_t end, T* gy, T* tgy,
                       std::int64_t skipped) const {
    using V = typename Lanes::Vector;
    const auto constant = [&](Constant line) IL_LAMBDA_INLINE { return constants_.template load<V>(line, at); };
    const V mean = constant(kMean), tmean = constant(kTMean), a = constant(kA), p = constant(kP), x = constant(kX),
            c = constant(kC), d = constant(kD), e = constant(kE);
    // One pixel; `g` is A gz + C there and `tg` is P gz + A tgz + E.
    const auto put = [&](std::int64_t i, V g, V tg) IL_LAMBDA_INLINE {
      const V dy = lanes.load(maps_.y + i) - mean;
      const V dty = (maps_.ty == nullptr ? V::zero() : lanes.load(maps_.ty + i)) - tmean;
      if (gy != nullptr) lanes.store(gy + (i - skipped), fma(dy, x, g));
      lanes.store(tgy + (i - skipped), fma(dty, x, fma(dy, d, tg)));
    };
    for (std::int64_t b = begin; b < end; ++b) {
      const auto band = grid_.band(b);
      const std::int64_t first = band.first + at;
      if (!band.windowed) {
        for (std::int64_t w = 0; w < grid_.width; ++w) put(first + w * grid_.channels, c, e);
        continue;
      }
      for (std::int64_t q = 0; q < grid_.window_columns; ++q) {
        const std::int64_t pooled = band.pooled + q * grid_.channels + at,
                           window = first + q * kSide * grid_.channels;
        const auto choice = Lanes::Positions::load(lanes, choice_ + pooled);
        const V gz = lanes.load(gp_ + pooled);
        const V tgz = tgp_ == nullptr ? V::zero() : lanes.load(tgp_ + pooled);
        const V hit = fma(gz, a, c), thit = fma(gz, p, fma(tgz, a, e));
        for (int j = 0; j < kSide * kSide; ++j) {
          const auto here = choice.chosen(j);
          put(window + offsets_.at[j], select(here, hit, c), select(here, thit, e));
        }
      }
      for (std::int64_t w = grid_.window_columns * kSide; w < grid_.width; ++w)
        for (int r = 0; r < kSide; ++r) put(first + (r * grid_.width + w) * grid_.channels, c, e);
    }
  }

 private:
  enum Constant { kMean, kTMean, kA, kP, kX, kC, kD, kE, kConstants };

  /// sums: tgz, and tgz (y - mean) + gz (ty - tmean).
  void sum(double* sums, Context& context) const {
    sum_over_windows(grid_, context, sums, [this](auto lanes, std::int64_t at) {
      using Lanes = decltype(lanes);
      using V = typename Lanes::Vector;
      const V centre = constants_.template load<V>(kMean, at), tcentre = constants_.template load<V>(kTMean, at);
      return [this, lanes, centre, tcentre](std::int64_t window, std::int64_t pooled, V& total, V& dot)
                 IL_LAMBDA_INLINE {
        const auto c = Lanes::Positions::load(lanes, choice_ + pooled);
        const auto dead = c.chosen(kDead);
        if (tgp_ != nullptr) {
          const V tg = select(dead, V::zero(), lanes.load(tgp_ + pooled));
          total = total + tg;
          dot = fma(tg, offsets_.pick(lanes, maps_.y + window, c) - centre, dot);
        }
        const V g = select(dead, V::zero(), lanes.load(gp_ + pooled));
        const V ty = maps_.ty == nullptr ? V::zero() : offsets_.pick(lanes, maps_.ty + window, c);
        dot = fma(g, ty - tcentre, dot);
      };
    });
  }

  const NormGrid<T>& grid_;
  Maps<T> maps_;
  WindowOffsets<kSide> offsets_;
  ChannelConstants<T, kConstants> constants_;
  const T *gp_, *tgp_;  // tgp_ null: zero
  const std::uint8_t* choice_;
};

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
