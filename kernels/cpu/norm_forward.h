// Norm-ReLU-pool, the values: p and choice from y and its statistics.
#pragma once

#include "kernels/cpu/norm_grid.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

/// What one task's p and choice come from beside y, and where they go.
template <class T>
struct NormValues {
  const T *gamma, *beta;  ///< gamma null: 1
  T* p;
  std::uint8_t* choice;
};

/// p and choice of one task: straight from y (normalise(), write()), or in two steps (pick(), then normalise() and
/// write_picked()), of which the first needs no statistics: the largest z of a window is that of the largest y, or of the
/// smallest where gamma < 0. In two steps a NaN in y must have made mean or rstd NaN, as the batch's own statistics do.
template <int kSide, class T>
class NormForward {
 public:
  NormForward(const NormValues<T>& values, const NormGrid<T>& grid, Context& context)
      : values_(values),
        grid_(grid),
        offsets_(grid),
        constants_(grid, context),
        stores_(stores_for(values.p, grid.channels, grid.pooled_elements())) {
    for (std::int64_t k = 0; k < grid.channels; ++k) {
      const double g = at_or(values.gamma, k, 1);
      constants_.set(kSign, k, g < 0 ? -1 : g == 0 ? 0 : 1);
    }
  }

  void normalise(const T* mean, const T* rstd) const {
    for (std::int64_t k = 0; k < grid_.channels; ++k) {
      constants_.set(kMean, k, static_cast<double>(mean[k]));
      constants_.set(kScale, k, at_or(values_.gamma, k, 1) * static_cast<double>(rstd[k]));
      constants_.set(kShift, k, static_cast<double>(values_.beta[k]));
    }
  }

  /// The bands [begin, end) for a vector of channels.
  template <class Lanes>
  IL_INLINE void write(const T* y, std::int64_t skipped, const Lanes& lanes, std::int64_t k, std::int64_t begin, std::int64_t end) const {
    using V = typename Lanes::Vector;
    const V centre = constants_.template load<V>(kMean, k), scale = constants_.template load<V>(kScale, k),
            shift = constants_.template load<V>(kShift, k);
    with_stores(stores_, [&](auto stores) IL_LAMBDA_INLINE {
      each_window(y, skipped, k, begin, end, [&](const T* window, std::int64_t to) IL_LAMBDA_INLINE {
        V best = fma(lanes.load(window) - centre, scale, shift);
        V nan = best;  // a NaN of the window, where has_nan
        auto has_nan = unordered(best, best);
        auto position = Lanes::Positions::broadcast(0);
        for (int i = 1; i < kSide * kSide; ++i) {
          const V z = fma(lanes.load(window + offsets_.at[i]) - centre, scale, shift);
          const auto wins = greater(z, best);
          const auto is_nan = unordered(z, z);
          nan = select(is_nan, z, nan);
          has_nan = has_nan | is_nan;
          best = select(wins, z, best);
          position = select(wins, Lanes::Positions::broadcast(i), position);
        }
        put_value<decltype(stores)::value>(lanes, to, select(has_nan, nan, best), has_nan, position);
      });
    });
    finish_stores(stores_);
  }

  /// The deciding y of each window of the bands [begin, end) to p, its position to choice.
  template <class Lanes>
  IL_INLINE void pick(const T* y, const Lanes& lanes, std::int64_t k, std::int64_t begin, std::int64_t end) const {
    using V = typename Lanes::Vector;
    const V sign = constants_.template load<V>(kSign, k);
    each_window(y, 0, k, begin, end, [&](const T* window, std::int64_t to) IL_LAMBDA_INLINE {
      V best = lanes.load(window) * sign;
      auto position = Lanes::Positions::broadcast(0);
      for (int i = 1; i < kSide * kSide; ++i) {
        const V v = lanes.load(window + offsets_.at[i]) * sign;
        const auto wins = greater(v, best);
        best = select(wins, v, best);
        position = select(wins, Lanes::Positions::broadcast(i), position);
      }
      lanes.store(values_.p + to, best * sign);
      position.store(lanes, values_.choice + to);
    });
  }

  /// The pooled pixels [begin, end), in place of what pick() has left there.
  template <class Lanes>
  IL_INLINE void write_picked(const Lanes& lanes, std::int64_t k, std::int64_t begin, std::int64_t end) const {
    using V = typename Lanes::Vector;
    const V centre = constants_.template load<V>(kMean, k), scale = constants_.template load<V>(kScale, k),
            shift = constants_.template load<V>(kShift, k);
    for (std::int64_t i = begin * grid_.channels + k; i < end * grid_.channels; i += grid_.channels) {
      const V z = fma(lanes.load(values_.p + i) - centre, scale, shift);
      put_value<Stores::kCached>(lanes, i, z, unordered(z, z), Lanes::Positions::load(lanes, values_.choice + i));
    }
  }

 private:
  enum Constant { kMean, kScale, kShift, kSign, kConstants };

  template <class Body>
  IL_INLINE void each_window(const T* y, std::int64_t skipped, std::int64_t k, std::int64_t begin, std::int64_t end,
                             const Body& body) const {
    for (std::int64_t b = begin; b < end; ++b) {
      const auto band = grid_.band(b);
      if (!band.windowed) continue;
      for (std::int64_t q = 0; q < grid_.window_columns; ++q)
        body(y + (band.first + q * kSide * grid_.channels + k - skipped), band.pooled + q * grid_.channels + k);
    }
  }

  template <Stores kStores, class Lanes, class Mask>
  IL_INLINE void put_value(const Lanes& lanes, std::int64_t to, typename Lanes::Vector z, Mask is_nan,
                           typename Lanes::Positions position) const {
    using V = typename Lanes::Vector;
    using Positions = typename Lanes::Positions;
    const Mask alive = greater(z, V::zero());
    put<kStores>(lanes, values_.p + to, select(is_nan, z, select(alive, z, V::zero())));
    select(is_nan, Positions::broadcast(kDead), select(alive, position, Positions::broadcast(kDead)))
        .store(lanes, values_.choice + to);
  }

  NormValues<T> values_;
  const NormGrid<T>& grid_;
  WindowOffsets<kSide> offsets_;
  ChannelConstants<T, kConstants> constants_;
  const Stores stores_;  ///< of write(): what is picked is read again at once
};

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
