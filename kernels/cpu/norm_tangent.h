// Norm-ReLU-pool, tangent of the forward pass: dense sums of ty and ty (y - mean), then tp at the chosen pixels.
//
//   tp = A (ty - tmean) + B (y - mean) + tbeta,  A = gamma rstd,  B = rstd (tgamma - gamma rstd t)
#pragma once

#include "kernels/cpu/norm_grid.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

/// One task's tangent, in steps that a fused kernel can take between its own: sums over pixels, finish(), values.
template <int kSide, class T>
class NormTangent {
 public:
  NormTangent(const NormReluPoolJvp& k, const NormGrid<T>& grid, std::int64_t t, Context& context)
      : k_(k),
        grid_(grid),
        maps_(stored_maps(grid, t, k.y, k.ty)),
        task_(t),
        offsets_(grid),
        constants_(grid, context),
        choice_(k.choice.as<std::uint8_t>() + t * grid.pooled_elements()),
        tp_(k.tp.as<T>() + t * grid.pooled_elements()),
        stores_(stores_for(tp_, grid.channels, grid.pooled_elements())) {
    const T* mean = line_of<T>(k.mean, t);
    for (std::int64_t c = 0; c < grid.channels; ++c) constants_.set(kMean, c, static_cast<double>(mean[c]));
  }

  /// The body of sum_over_pixels() and sum_pixel_range(); ty must be there.
  auto sums() const {
    return [this](auto lanes, std::int64_t at) {
      using V = typename decltype(lanes)::Vector;
      return [maps = maps_, lanes, centre = constants_.template load<V>(kMean, at)](std::int64_t i, V& sum, V& dot) IL_LAMBDA_INLINE {
        const V v = lanes.load(maps.ty + i);
        sum = sum + v;
        dot = fma(v, lanes.load(maps.y + i) - centre, dot);
      };
    };
  }

  /// tmean and trstd from the sums over all pixels.
  void finish(const double* sums) const {
    const T *rstd = line_of<T>(k_.rstd, task_), *gamma = line_of<T>(k_.gamma, task_);
    const T *tgamma = line_of<T>(k_.tgamma, task_), *tbeta = line_of<T>(k_.tbeta, task_);
    T *tmean = k_.tmean.as<T>() + task_ * grid_.channels, *trstd = k_.trstd.as<T>() + task_ * grid_.channels;
    for (std::int64_t c = 0; c < grid_.channels; ++c) {
      const double s = static_cast<double>(rstd[c]), g = at_or(gamma, c, 1);
      const double tm = sums[c] * grid_.per_pixel, along = s * sums[grid_.padded + c] * grid_.per_pixel;
      tmean[c] = static_cast<T>(tm);
      trstd[c] = static_cast<T>(-s * s * along);
      constants_.set(kTMean, c, tm);
      constants_.set(kA, c, g * s);
      constants_.set(kB, c, s * (at_or(tgamma, c, 0) - g * s * along));
      constants_.set(kTBeta, c, at_or(tbeta, c, 0));
    }
  }

  /// tp of the bands [begin, end) for a vector of channels; after finish().
  template <class Lanes>
  IL_INLINE void write(const Lanes& lanes, std::int64_t at, std::int64_t begin, std::int64_t end) const {
    const Line<Lanes> line(*this, at);
    with_stores(stores_, [&](auto stores) IL_LAMBDA_INLINE {
      each_window(at, begin, end, [&](std::int64_t window, std::int64_t pooled) IL_LAMBDA_INLINE {
        const auto c = Lanes::Positions::load(lanes, choice_ + pooled);
        const auto ty = maps_.ty == nullptr ? line.tcentre : offsets_.pick(lanes, maps_.ty + window, c);
        put<decltype(stores)::value>(lanes, tp_ + pooled, line.value(c, offsets_.pick(lanes, maps_.y + window, c), ty));
      });
    });
    finish_stores(stores_);
  }

  /// y and ty at the chosen pixels, to y_chosen [pooled grid] and, for the time being, tp; before finish().
  template <class Lanes>
  IL_INLINE void pick(const Lanes& lanes, std::int64_t at, std::int64_t begin, std::int64_t end, T* y_chosen) const {
    each_window(at, begin, end, [&](std::int64_t window, std::int64_t pooled) IL_LAMBDA_INLINE {
      const auto c = Lanes::Positions::load(lanes, choice_ + pooled);
      lanes.store(y_chosen + pooled, offsets_.pick(lanes, maps_.y + window, c));
      lanes.store(tp_ + pooled, offsets_.pick(lanes, maps_.ty + window, c));
    });
  }

  /// tp of the pooled pixels [begin, end) from what pick() has left; after finish().
  template <class Lanes>
  IL_INLINE void write_picked(const Lanes& lanes, std::int64_t at, std::int64_t begin, std::int64_t end,
                              const T* y_chosen) const {
    const Line<Lanes> line(*this, at);
    for (std::int64_t i = begin * grid_.channels + at; i < end * grid_.channels; i += grid_.channels)
      lanes.store(tp_ + i, line.value(Lanes::Positions::load(lanes, choice_ + i), lanes.load(y_chosen + i), lanes.load(tp_ + i)));
  }

 private:
  enum Constant { kMean, kTMean, kA, kB, kTBeta, kConstants };

  /// The constants of a vector of channels.
  template <class Lanes>
  struct Line {
    using V = typename Lanes::Vector;
    V centre, tcentre, a, b, shift;
    Line(const NormTangent& n, std::int64_t at)
        : centre(n.constants_.template load<V>(kMean, at)),
          tcentre(n.constants_.template load<V>(kTMean, at)),
          a(n.constants_.template load<V>(kA, at)),
          b(n.constants_.template load<V>(kB, at)),
          shift(n.constants_.template load<V>(kTBeta, at)) {}
    IL_INLINE V value(typename Lanes::Positions c, V y, V ty) const {
      return select(c.chosen(kDead), V::zero(), fma(ty - tcentre, a, fma(y - centre, b, shift)));
    }
  };

  template <class Body>
  IL_INLINE void each_window(std::int64_t at, std::int64_t begin, std::int64_t end, const Body& body) const {
    for (std::int64_t i = begin; i < end; ++i) {
      const auto band = grid_.band(i);
      if (!band.windowed) continue;
      for (std::int64_t q = 0; q < grid_.window_columns; ++q)
        body(band.first + q * kSide * grid_.channels + at, band.pooled + q * grid_.channels + at);
    }
  }

  const NormReluPoolJvp& k_;
  const NormGrid<T>& grid_;
  Maps<T> maps_;
  std::int64_t task_;
  WindowOffsets<kSide> offsets_;
  ChannelConstants<T, kConstants> constants_;
  const std::uint8_t* choice_;
  T* tp_;
  const Stores stores_;  ///< of write(): what is picked is read again at once
};

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
