// The two passes over the windows of a block of images: sums of the chosen patches, and a linear form of each of them.
#pragma once

#include "kernels/cpu/patches/pick.h"
#include "kernels/cpu/patches/table.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

/// A task's maps on the pooled grid [N, H', W', K], and rows of windows of it.
template <class T>
struct PooledRows {
  const NormGrid<T>& grid;
  const std::uint8_t* choice;  ///< of the whole task
  std::int64_t first, count;

  std::int64_t at(std::int64_t row) const { return (first + row) * grid.window_columns * grid.channels; }
};

/// Sums over windows, each [padded channels] in float64: of g u for each tap of the chosen patch u, then of g. Dead
/// windows do not count. In float32 over a few dozen windows at a time.
template <int kSide, class T>
void add_chosen(const PatchTable<kSide, T>& table, const PatchShape& shape, const PooledRows<T>& rows, const T* g,
                double* sums) {
  constexpr std::int64_t kWindows = 64;
  const NormGrid<T>& grid = rows.grid;
  const std::int64_t together = larger(1, kWindows / grid.window_columns), step = table.step();
  for (std::int64_t top = 0; top < rows.count; top += together) {
    const std::int64_t bottom = smaller(rows.count, top + together);
    for_each_vector<T>(grid.channels, [&](auto lanes, std::int64_t k) {
      using Lanes = decltype(lanes);
      using V = typename Lanes::Vector;
      for (std::int64_t group = 0; group < tap_groups(shape); ++group) {
        std::int64_t offsets[kTapGroup];
        V totals[kTapGroup], total = V::zero();
        for (int j = 0; j < kTapGroup; ++j) {
          offsets[j] = table.offsets()[group * kTapGroup + j];
          totals[j] = V::zero();
        }
        for (std::int64_t r = top; r < bottom; ++r) {
          const T* patch = table.row(r);
          std::int64_t at = rows.at(r) + k;
          for (std::int64_t q = 0; q < grid.window_columns; ++q, at += grid.channels, patch += step) {
            const auto choice = Lanes::Positions::load(lanes, rows.choice + at);
            const V v = select(choice.chosen(kDead), V::zero(), lanes.load(g + at));
            const Pick<typename Lanes::Positions, PatchTable<kSide, T>::kWidth> pick(choice);
            for (int j = 0; j < kTapGroup; ++j) totals[j] = fma(pick.of(patch + offsets[j]), v, totals[j]);
            total = total + v;
          }
        }
        const std::int64_t taps = smaller(kTapGroup, shape.taps() - group * kTapGroup);
        for (std::int64_t j = 0; j < taps; ++j) add_to(sums + (group * kTapGroup + j) * grid.padded + k, totals[j]);
        if (group == 0) add_to(sums + shape.taps() * grid.padded + k, total);
      }
    });
  }
}

/// out = sum over taps of weights[tap] u[tap] + weights[last] for the chosen patch u of each window, 0 where it is
/// dead; the weights are lines of [padded channels], one for each tap of whole groups (zero behind the last tap) and
/// the constant.
template <int kSide, Stores kStores, class T>
void write_chosen(const PatchTable<kSide, T>& table, const PatchShape& shape, const PooledRows<T>& rows,
                  const T* weights, T* out) {
  const NormGrid<T>& grid = rows.grid;
  const std::int64_t groups = tap_groups(shape), step = table.step();
  for (std::int64_t r = 0; r < rows.count; ++r) {
    for_each_vector<T>(grid.channels, [&](auto lanes, std::int64_t k) {
      using Lanes = decltype(lanes);
      using V = typename Lanes::Vector;
      const V constant = V::load(weights + groups * kTapGroup * grid.padded + k);
      for (std::int64_t group = 0; group < groups; ++group) {
        std::int64_t offsets[kTapGroup];
        V w[kTapGroup];
        for (int j = 0; j < kTapGroup; ++j) {
          offsets[j] = table.offsets()[group * kTapGroup + j];
          w[j] = V::load(weights + (group * kTapGroup + j) * grid.padded + k);
        }
        const T* patch = table.row(r);
        std::int64_t at = rows.at(r) + k;
        for (std::int64_t q = 0; q < grid.window_columns; ++q, at += grid.channels, patch += step) {
          const auto choice = Lanes::Positions::load(lanes, rows.choice + at);
          const Pick<typename Lanes::Positions, PatchTable<kSide, T>::kWidth> pick(choice);
          V sum = group == 0 ? constant : lanes.load(out + at);
          for (int j = 0; j < kTapGroup; ++j) sum = fma(pick.of(patch + offsets[j]), w[j], sum);
          if (group == groups - 1) sum = select(choice.chosen(kDead), V::zero(), sum);
          put<kStores>(lanes, out + at, sum);
        }
      }
    });
  }
}

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
