// Norm-ReLU-pool, gradient: the channel sums on the pooled grid, then gy densely as an affine map of y.
//
//   gy = A gz + B (y - mean) + C,  A = gamma rstd,  B = -A rstd ggamma/M,  C = -A gbeta/M
// gz is not zero at the chosen pixel of a window only, so A gz + C takes two values in a window, made once.
#pragma once

#include "kernels/cpu/norm_grid.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

/// One task's gradient. `k.gy` is not looked at: who wants gy says where it goes.
template <int kSide, class T>
class NormGrad {
 public:
  NormGrad(const NormReluPoolGrad& k, const NormGrid<T>& grid, std::int64_t t, Context& context)
      : grid_(grid),
        y_(stored_maps(grid, t, k.y).y),
        offsets_(grid),
        constants_(grid, context),
        gp_(k.gp.as<T>() + t * grid.pooled_elements()),
        choice_(k.choice.as<std::uint8_t>() + t * grid.pooled_elements()) {
    const T *mean = line_of<T>(k.mean, t), *rstd = line_of<T>(k.rstd, t), *gamma = line_of<T>(k.gamma, t);
    T *ggamma = k.ggamma.as<T>() + t * grid.channels, *gbeta = k.gbeta.as<T>() + t * grid.channels;
    for (std::int64_t c = 0; c < grid.channels; ++c) constants_.set(kMean, c, static_cast<double>(mean[c]));
    const Scratch<double> sums(context, 2 * grid.padded);
    sum(sums.data(), context);
    for (std::int64_t c = 0; c < grid.channels; ++c) {
      const double s = static_cast<double>(rstd[c]), a = at_or(gamma, c, 1) * s;
      const double gb = sums.data()[c], gg = s * sums.data()[grid.padded + c];
      gbeta[c] = static_cast<T>(gb);
      ggamma[c] = static_cast<T>(gg);
      constants_.set(kA, c, a);
      constants_.set(kB, c, -a * s * gg * grid.per_pixel);
      constants_.set(kC, c, -a * gb * grid.per_pixel);
    }
  }

  /// gy of the bands [begin, end) for a vector of channels, to gy[offset in the task's y - skipped].
  template <class Lanes>
  IL_INLINE void write(const Lanes& lanes, std::int64_t at, std::int64_t begin, std::int64_t end, T* gy, std::int64_t skipped) const {
    using V = typename Lanes::Vector;
    const auto constant = [&](Constant line) IL_LAMBDA_INLINE { return constants_.template load<V>(line, at); };
    const V centre = constant(kMean), a = constant(kA), b = constant(kB), c = constant(kC);
    const auto put = [&](std::int64_t i, V g) IL_LAMBDA_INLINE {
      lanes.store(gy + (i - skipped), fma(lanes.load(y_ + i) - centre, b, g));
    };
    for (std::int64_t i = begin; i < end; ++i) {
      const auto band = grid_.band(i);
      const std::int64_t first = band.first + at;
      if (!band.windowed) {
        for (std::int64_t x = 0; x < grid_.width; ++x) put(first + x * grid_.channels, c);
        continue;
      }
      for (std::int64_t q = 0; q < grid_.window_columns; ++q) {
        const std::int64_t pooled = band.pooled + q * grid_.channels + at, window = first + q * kSide * grid_.channels;
        const auto chosen = Lanes::Positions::load(lanes, choice_ + pooled);
        const V hit = fma(lanes.load(gp_ + pooled), a, c);
        for (int j = 0; j < kSide * kSide; ++j) put(window + offsets_.at[j], select(chosen.chosen(j), hit, c));
      }
      for (std::int64_t x = grid_.window_columns * kSide; x < grid_.width; ++x)
        for (int r = 0; r < kSide; ++r) put(first + (r * grid_.width + x) * grid_.channels, c);
    }
  }

 private:
  enum Constant { kMean, kA, kB, kC, kConstants };

  /// sums: gz, and gz (y - mean).
  void sum(double* sums, Context& context) const {
    sum_over_windows(grid_, context, sums, [this](auto lanes, std::int64_t at) {
      using Lanes = decltype(lanes);
      using V = typename Lanes::Vector;
      const V centre = constants_.template load<V>(kMean, at);
      return [this, lanes, centre](std::int64_t window, std::int64_t pooled, V& total, V& dot) IL_LAMBDA_INLINE {
        const auto c = Lanes::Positions::load(lanes, choice_ + pooled);
        const V g = select(c.chosen(kDead), V::zero(), lanes.load(gp_ + pooled));
        total = total + g;
        dot = fma(g, offsets_.pick(lanes, y_ + window, c) - centre, dot);
      };
    });
  }

  const NormGrid<T>& grid_;
  const T* y_;
  WindowOffsets<kSide> offsets_;
  ChannelConstants<T, kConstants> constants_;
  const T* gp_;
  const std::uint8_t* choice_;
};

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
