// Passes of norm-ReLU-pool, forward: statistics in one pass over y, then the maximum of each window in a second.
//
// The statistics are sums of y - s and (y - s)^2, where s is the mean of a few pixels spread over the batch: close enough to
// the true mean that nothing cancels, and one pass instead of two. Where the convolution has left moments of y (conv_moments.h), the
// first pass is over those.
#pragma once

#include "kernels/cuda/norm_moments.cuh"
#include "kernels/cuda/norm_window.cuh"

namespace innerloop::kernels::cuda {

inline constexpr unsigned kShiftSamples = 8;

template <class T_, int kWidth_, int kSide>
struct ForwardPass {
  using T = T_;
  static constexpr int kWidth = kWidth_, kGiven = 1, kConstants = 3, kUnroll = 4;

  NormGrid grid;
  double epsilon;
  const T* y;
  Line<T> gamma, beta;
  T *mean, *rstd, *p;
  std::uint8_t* choice;
  T* chosen;  // null: not wanted

  __device__ __forceinline__ ForwardPass of_task(unsigned task) const {
    ForwardPass pass = *this;
    pass.y += task * grid.task_elements();
    pass.gamma = gamma.of_task(task), pass.beta = beta.of_task(task);
    pass.mean += static_cast<std::int64_t>(task) * grid.channels;
    pass.rstd += static_cast<std::int64_t>(task) * grid.channels;
    pass.p += task * grid.pooled_elements(), pass.choice += task * grid.pooled_elements();
    pass.chosen = cuda::of_task(chosen, task, grid.pooled_elements());
    return pass;
  }

  IL_HD unsigned terms() const { return grid.pixels; }
  __device__ __forceinline__ void prepare(unsigned channel, Column<T> given) const {
    const unsigned samples = min(kShiftSamples, grid.pixels);
    double sum = 0;
    for (unsigned i = 0; i < samples; ++i) {
      const auto at = static_cast<unsigned>((2 * i + 1) * std::uint64_t{grid.pixels} / (2 * samples));
      sum += static_cast<double>(y[grid.pixel(at) + channel]);
    }
    // A quotient: a product could be fused with what comes after it in one kernel and not in another.
    given[0] = samples == 0 ? T{0} : static_cast<T>(sum / samples);
  }
  __device__ __forceinline__ void add(unsigned item, unsigned channel, const LineValues<T, kWidth, 1>& given,
                                      Channels<T, kWidth>& sum, Channels<T, kWidth>& squares) const {
    const auto value = load_as<Channels<T, kWidth>>(y + grid.pixel(item) + channel);
#pragma unroll
    for (int v = 0; v < kWidth; ++v) {
      const T d = value.at[v] - given.line[0].at[v];
      sum.at[v] += d;
      squares.at[v] = fused_multiply_add(d, d, squares.at[v]);
    }
  }
  __device__ __forceinline__ void finish(unsigned channel, Column<T> given, double sum, double squares,
                                         Column<T> constants) const {
    const double offset = sum * grid.per_pixel;
    const double variance = fused_multiply_add(-offset, offset, squares * grid.per_pixel);
    const T m = static_cast<T>(fused_multiply_add(sum, grid.per_pixel, static_cast<double>(given[0])));
    const T r = static_cast<T>(1 / sqrt((variance < 0 ? 0 : variance) + epsilon));
    mean[channel] = m, rstd[channel] = r;
    constants[0] = m;
    constants[1] = static_cast<T>(gamma.at_or(channel, 1) * static_cast<double>(r));
    constants[2] = beta.data[channel];
  }
  IL_HD unsigned cells() const { return grid.windows; }
  __device__ __forceinline__ void write(unsigned item, unsigned channel, const LineValues<T, kWidth, 3>& lines) const {
    const WindowPlace<kSide> place(grid, item);
    const WindowValues<kSide, T, kWidth> values(grid, y + place.first + channel);
    T* const kept = chosen == nullptr ? nullptr : chosen + place.pooled + channel;
    write_window<kSide>(values.pixel, lines, p + place.pooled + channel, choice + place.pooled + channel, kept);
  }
};

/// The same from moments: s is the mean of a few units' means.
template <class T_, int kWidth_, int kSide>
struct MomentsForwardPass : ForwardPass<T_, kWidth_, kSide> {
  using T = T_;
  using Base = ForwardPass<T_, kWidth_, kSide>;
  static constexpr int kWidth = kWidth_, kUnroll = sizeof(T) * kWidth == 4 ? 2 : 1;  // more would spill

  UnitsOfMoments<T, kWidth, kOutputMoments> units;

  __device__ __forceinline__ MomentsForwardPass of_task(unsigned task) const {
    return {Base::of_task(task), units.of_task(task)};
  }
  IL_HD unsigned terms() const { return units.count; }
  __device__ __forceinline__ void prepare(unsigned channel, Column<T> given) const {
    const unsigned samples = min(kShiftSamples, units.count);
    double sum = 0;
    for (unsigned i = 0; i < samples; ++i) {
      const auto at = static_cast<unsigned>((2 * i + 1) * std::uint64_t{units.count} / (2 * samples));
      sum += static_cast<double>(*units.at(at, 0, channel));
    }
    given[0] = static_cast<T>(sum / samples);
  }
  __device__ __forceinline__ void add(unsigned unit, unsigned channel, const LineValues<T, kWidth, 1>& given,
                                      Channels<T, kWidth>& sum, Channels<T, kWidth>& squares) const {
    const auto middle = load_as<Channels<T, kWidth>>(units.at(unit, 0, channel));
    const auto rest = load_as<Channels<T, kWidth>>(units.at(unit, 1, channel));
    const auto about_it = load_as<Channels<T, kWidth>>(units.at(unit, 2, channel));
    const T pixels = units.pixels_of(unit);
#pragma unroll
    for (int v = 0; v < kWidth; ++v) {
      const T d = middle.at[v] - given.line[0].at[v], moved = fused_multiply_add(pixels, d, rest.at[v]);
      sum.at[v] += moved;
      squares.at[v] += fused_multiply_add(moved + rest.at[v], d, about_it.at[v]);
    }
  }
};

/// The walk over what the convolution has picked.
template <class T_, int kWidth_>
struct PickedForwardPass : MomentsForwardPass<T_, kWidth_, 2> {
  using T = T_;
  using Base = MomentsForwardPass<T_, kWidth_, 2>;
  static constexpr int kWidth = kWidth_;

  const T* picked;

  __device__ __forceinline__ PickedForwardPass of_task(unsigned task) const {
    return {Base::of_task(task), picked + task * this->grid.pooled_elements()};
  }
  __device__ __forceinline__ void write(unsigned item, unsigned channel, const LineValues<T, kWidth, 3>& lines) const {
    const std::int64_t at = this->grid.pixel(item) + channel;
    write_picked(lines, picked + at, this->p + at, this->choice + at);
  }
};

/// From moments and picks where they are there, or else from y.
template <class T_, int kWidth_>
struct EitherForwardPass : PickedForwardPass<T_, kWidth_> {
  using T = T_;
  using Picked = PickedForwardPass<T_, kWidth_>;
  using Moments = MomentsForwardPass<T_, kWidth_, 2>;
  using Direct = ForwardPass<T_, kWidth_, 2>;
  static constexpr int kWidth = kWidth_, kUnroll = 1;

  __device__ __forceinline__ EitherForwardPass of_task(unsigned task) const {
    const auto of = has_moments() ? this->units.of_task(task) : this->units;
    return {{{Direct::of_task(task), of}, cuda::of_task(this->picked, task, this->grid.pooled_elements())}};
  }
  __device__ __forceinline__ bool has_moments() const { return this->units.data != nullptr; }
  __device__ __forceinline__ unsigned terms() const { return has_moments() ? Moments::terms() : Direct::terms(); }
  __device__ __forceinline__ void prepare(unsigned channel, Column<T> given) const {
    if (has_moments()) return Moments::prepare(channel, given);
    Direct::prepare(channel, given);
  }
  __device__ __forceinline__ void add(unsigned item, unsigned channel, const LineValues<T, kWidth, 1>& given,
                                      Channels<T, kWidth>& sum, Channels<T, kWidth>& squares) const {
    if (has_moments()) return Moments::add(item, channel, given, sum, squares);
    Direct::add(item, channel, given, sum, squares);
  }
  __device__ __forceinline__ void write(unsigned item, unsigned channel, const LineValues<T, kWidth, 3>& lines) const {
    if (this->picked != nullptr) return Picked::write(item, channel, lines);
    Direct::write(item, channel, lines);
  }
};

template <class T, int kWidth, int kSide>
ForwardPass<T, kWidth, kSide> forward_pass(const NormReluPoolForward& k) {
  return {NormGrid(k.y.shape, k.pool, k.kName), k.epsilon,        k.y.as<T>(), Line<T>(k.gamma), Line<T>(k.beta),
          k.mean.as<T>(),                       k.rstd.as<T>(), k.p.as<T>(), k.choice.as<std::uint8_t>(),
          k.chosen.as<T>()};
}

}  // namespace innerloop::kernels::cuda
