// Norm-ReLU-pool, forward: statistics in one pass over y, then the maximum of each window in a second.
//
// The statistics are sums of y - s and (y - s)^2, where s is the mean of a few pixels spread over the batch: close enough to
// the true mean that nothing cancels, and one pass instead of two. Where the convolution has left moments of y (conv_moments.h), the
// first pass is over those.
#include "kernels/cuda/norm_dispatch.h"
#include "kernels/cuda/norm_moments.cuh"
#include "kernels/cuda/norm_passes.cuh"
#include "kernels/cuda/norm_window.cuh"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

constexpr unsigned kSamples = 8;

/// NormReluPoolApply: the walk alone.
template <class T_, int kWidth_, int kSide>
struct ApplyPass {
  using T = T_;
  static constexpr int kWidth = kWidth_, kConstants = 3;  // mean, gamma rstd, beta

  NormGrid grid;
  const T* y;
  Line<T> mean, rstd, gamma, beta;
  T* p;
  std::uint8_t* choice;

  __device__ __forceinline__ ApplyPass of_task(unsigned task) const {
    ApplyPass pass = *this;
    pass.y += task * grid.task_elements();
    pass.mean = mean.of_task(task), pass.rstd = rstd.of_task(task);
    pass.gamma = gamma.of_task(task), pass.beta = beta.of_task(task);
    pass.p += task * grid.pooled_elements(), pass.choice += task * grid.pooled_elements();
    return pass;
  }
  __device__ __forceinline__ void constants(unsigned channel, Column<T> to) const {
    to[0] = mean.data[channel];
    to[1] = static_cast<T>(gamma.at_or(channel, 1) * static_cast<double>(rstd.data[channel]));
    to[2] = beta.data[channel];
  }
  IL_HD unsigned cells() const { return grid.windows; }
  __device__ __forceinline__ void write(unsigned item, unsigned channel, const LineValues<T, kWidth, 3>& lines) const {
    const WindowPlace<kSide> place(grid, item);
    const WindowValues<kSide, T, kWidth> values(grid, y + place.first + channel);
    write_window<kSide>(values.pixel, lines, p + place.pooled + channel, choice + place.pooled + channel);
  }
};

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
    const unsigned samples = min(kSamples, grid.pixels);
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
    const double variance = squares * grid.per_pixel - offset * offset;
    const T m = static_cast<T>(static_cast<double>(given[0]) + offset);
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
    const unsigned samples = min(kSamples, units.count);
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

/// And the walk over what the convolution has picked.
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

template <class T, int kWidth, int kSide>
ForwardPass<T, kWidth, kSide> forward_pass(const NormReluPoolForward& k) {
  return {NormGrid(k.y.shape, k.pool, k.kName), k.epsilon,        k.y.as<T>(), Line<T>(k.gamma), Line<T>(k.beta),
          k.mean.as<T>(),                       k.rstd.as<T>(), k.p.as<T>(), k.choice.as<std::uint8_t>(),
          k.chosen.as<T>()};
}

void run_here(const NormReluPoolForward& k, Context& context) {
  with_norm(k.y.dtype, k.pool, k.kName, {k.y, k.p, k.choice, k.chosen}, [&]<class T>(T, auto width, auto side) {
    run_sums_and_walk(forward_pass<T, width(), side()>(k), context);
  });
}

void run_here(const NormForwardMoments& k, Context& context) {
  check_moments(k.kName, k.moments, k.unit, k.norm.y, kOutputMoments);
  if (k.picked) {
    using Pass = PickedForwardPass<float, kPickWidth>;
    check_picked(k.kName, k.norm.pool, {k.norm.p, k.norm.choice, k.picked, k.moments});
    const auto pass = forward_pass<float, kPickWidth, 2>(k.norm);
    return run_sums_and_walk(Pass{{pass, {k.moments, k.unit, pass.grid}}, k.picked.as<float>()}, context);
  }
  with_norm(k.norm.y.dtype, k.norm.pool, k.kName, {k.norm.y, k.norm.p, k.norm.choice, k.norm.chosen, k.moments},
            [&]<class T>(T, auto width, auto side) {
              const auto pass = forward_pass<T, width(), side()>(k.norm);
              run_sums_and_walk(MomentsForwardPass<T, width(), side()>{pass, {k.moments, k.unit, pass.grid}}, context);
            });
}

void run_here(const NormReluPoolApply& k, Context& context) {
  const NormGrid grid(k.y.shape, k.pool, k.kName);
  with_norm(k.y.dtype, k.pool, k.kName, {k.y, k.p, k.choice}, [&]<class T>(T, auto width, auto side) {
    run_walk(ApplyPass<T, width(), side()>{grid, k.y.as<T>(), Line<T>(k.mean), Line<T>(k.rstd), Line<T>(k.gamma),
                                           Line<T>(k.beta), k.p.as<T>(), k.choice.as<std::uint8_t>()},
             context);
  });
}

IL_REGISTER_KERNEL(NormReluPoolForward);
IL_REGISTER_KERNEL(NormForwardMoments);
IL_REGISTER_KERNEL(NormReluPoolApply);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
