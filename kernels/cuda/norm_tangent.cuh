// Passes of norm-ReLU-pool, tangent of the forward pass: two sums over all pixels, then tp on the pooled grid as an affine map of y and
// ty at the chosen pixels.
//
//   tp = B (y - mean) + A (ty - tmean) + tbeta,  A = gamma rstd,  B = rstd (tgamma - A t),  t = mean(ty xhat)
#pragma once

#include "kernels/cuda/norm_moments.cuh"

namespace innerloop::kernels::cuda {

template <class T_, int kWidth_, int kSide>
struct TangentPass {
  using T = T_;
  static constexpr int kWidth = kWidth_, kGiven = 1, kConstants = 5, kUnroll = 4;
  enum Constant { kMean, kTMean, kA, kB, kTBeta };

  NormGrid grid;
  const T *y, *ty;  // ty null: zero
  Line<T> mean, rstd, gamma, tgamma, tbeta;
  const std::uint8_t* choice;
  T *tp, *tmean, *trstd;
  const T* chosen;  // null: from y
  T* tchosen;       // null: not wanted

  __device__ __forceinline__ TangentPass of_task(unsigned task) const {
    TangentPass pass = *this;
    pass.y += task * grid.task_elements(), pass.ty = cuda::of_task(ty, task, grid.task_elements());
    pass.choice += task * grid.pooled_elements(), pass.tp += task * grid.pooled_elements();
    pass.chosen = cuda::of_task(chosen, task, grid.pooled_elements());
    pass.tchosen = cuda::of_task(tchosen, task, grid.pooled_elements());
    pass.mean = mean.of_task(task), pass.rstd = rstd.of_task(task), pass.gamma = gamma.of_task(task);
    pass.tgamma = tgamma.of_task(task), pass.tbeta = tbeta.of_task(task);
    pass.tmean += static_cast<std::int64_t>(task) * grid.channels;
    pass.trstd += static_cast<std::int64_t>(task) * grid.channels;
    return pass;
  }

  IL_HD unsigned terms() const { return ty == nullptr ? 0 : grid.pixels; }
  __device__ __forceinline__ void prepare(unsigned channel, Column<T> given) const { given[0] = mean.data[channel]; }
  __device__ __forceinline__ void add(unsigned item, unsigned channel, const LineValues<T, kWidth, 1>& given,
                                      Channels<T, kWidth>& sum, Channels<T, kWidth>& dot) const {
    const std::int64_t at = grid.pixel(item) + channel;
    const auto value = load_as<Channels<T, kWidth>>(y + at), tangent = load_as<Channels<T, kWidth>>(ty + at);
#pragma unroll
    for (int v = 0; v < kWidth; ++v) {
      sum.at[v] += tangent.at[v];
      dot.at[v] = fused_multiply_add(tangent.at[v], value.at[v] - given.line[0].at[v], dot.at[v]);
    }
  }
  __device__ __forceinline__ void finish(unsigned channel, Column<T> given, double sum, double dot,
                                         Column<T> constants) const {
    const double s = static_cast<double>(rstd.data[channel]), a = gamma.at_or(channel, 1) * s;
    const double tm = sum * grid.per_pixel, along = s * dot * grid.per_pixel;
    tmean[channel] = static_cast<T>(tm);
    trstd[channel] = static_cast<T>(-s * s * along);
    constants[kMean] = given[0];
    constants[kTMean] = static_cast<T>(tm);
    constants[kA] = static_cast<T>(a);
    constants[kB] = static_cast<T>(s * fused_multiply_add(-a, along, tgamma.at_or(channel, 0)));
    constants[kTBeta] = static_cast<T>(tbeta.at_or(channel, 0));
  }

  IL_HD unsigned cells() const { return grid.windows; }
  __device__ __forceinline__ void write(unsigned item, unsigned channel, const LineValues<T, kWidth, 5>& lines) const {
    const WindowPlace<kSide> place(grid, item);
    const auto position = load_as<Channels<std::uint8_t, kWidth>>(choice + place.pooled + channel);
    Channels<T, kWidth> out = at_chosen<kSide, T, kWidth>(grid, chosen, y, place, channel, position);
#pragma unroll
    for (int v = 0; v < kWidth; ++v) out.at[v] = along_y(out.at[v], lines, v);
    if (ty != nullptr) {
      const auto tangent = at_chosen<kSide, T, kWidth>(grid, nullptr, ty, place, channel, position);
      if (tchosen != nullptr) store_as(tchosen + place.pooled + channel, tangent);
#pragma unroll
      for (int v = 0; v < kWidth; ++v) out.at[v] = along_ty(tangent.at[v], out.at[v], lines, v);
    }
#pragma unroll
    for (int v = 0; v < kWidth; ++v) out.at[v] = position.at[v] == kDead ? T{0} : out.at[v];
    store_as(tp + place.pooled + channel, out);
  }

 protected:
  /// tp of a window whose y and ty at the chosen pixel are there.
  __device__ __forceinline__ static void write_picked(const Channels<std::uint8_t, kWidth>& position, const Channels<T, kWidth>& value,
                                                      Channels<T, kWidth> tangent, const LineValues<T, kWidth, 5>& lines, T* to) {
#pragma unroll
    for (int v = 0; v < kWidth; ++v)
      tangent.at[v] = position.at[v] == kDead ? T{0} : along_ty(tangent.at[v], along_y(value.at[v], lines, v), lines, v);
    store_as(to, tangent);
  }
  __device__ __forceinline__ static T along_y(T value, const LineValues<T, kWidth, 5>& lines, int v) {
    return fused_multiply_add(value - lines.line[kMean].at[v], lines.line[kB].at[v], lines.line[kTBeta].at[v]);
  }
  __device__ __forceinline__ static T along_ty(T tangent, T rest, const LineValues<T, kWidth, 5>& lines, int v) {
    return fused_multiply_add(tangent - lines.line[kTMean].at[v], lines.line[kA].at[v], rest);
  }
};

/// The same from the moments of ty.
template <class T_, int kWidth_, int kSide>
struct MomentsTangentPass : TangentPass<T_, kWidth_, kSide> {
  using T = T_;
  using Base = TangentPass<T_, kWidth_, kSide>;
  static constexpr int kWidth = kWidth_;

  UnitsOfMoments<T, kWidth, kTangentMoments> units;

  __device__ __forceinline__ MomentsTangentPass of_task(unsigned task) const {
    return {Base::of_task(task), units.of_task(task)};
  }
  IL_HD unsigned terms() const { return units.count; }
  __device__ __forceinline__ void add(unsigned unit, unsigned channel, const LineValues<T, kWidth, 1>&,
                                      Channels<T, kWidth>& sum, Channels<T, kWidth>& dot) const {
    const auto sums = load_as<Channels<T, kWidth>>(units.at(unit, 0, channel));
    const auto products = load_as<Channels<T, kWidth>>(units.at(unit, 1, channel));
#pragma unroll
    for (int v = 0; v < kWidth; ++v) sum.at[v] += sums.at[v], dot.at[v] += products.at[v];
  }
};

/// From moments where there are any, and with what the convolution has picked of ty where it is kept beside y's, or else from y and ty.
template <class T_, int kWidth_>
struct EitherTangentPass : MomentsTangentPass<T_, kWidth_, 2> {
  using T = T_;
  using Moments = MomentsTangentPass<T_, kWidth_, 2>;
  using Direct = TangentPass<T_, kWidth_, 2>;
  static constexpr int kWidth = kWidth_, kUnroll = 1;

  const T* tpicked;

  __device__ __forceinline__ EitherTangentPass of_task(unsigned task) const {
    const auto of = has_moments() ? this->units.of_task(task) : this->units;
    return {{Direct::of_task(task), of}, cuda::of_task(tpicked, task, this->grid.pooled_elements())};
  }
  __device__ __forceinline__ bool has_moments() const { return this->units.data != nullptr; }
  __device__ __forceinline__ unsigned terms() const { return has_moments() ? Moments::terms() : Direct::terms(); }
  __device__ __forceinline__ void add(unsigned item, unsigned channel, const LineValues<T, kWidth, 1>& given,
                                      Channels<T, kWidth>& sum, Channels<T, kWidth>& dot) const {
    if (has_moments()) return Moments::add(item, channel, given, sum, dot);
    Direct::add(item, channel, given, sum, dot);
  }
  __device__ __forceinline__ void write(unsigned item, unsigned channel, const LineValues<T, kWidth, 5>& lines) const {
    if (tpicked == nullptr) return Direct::write(item, channel, lines);
    const std::int64_t at = this->grid.pixel(item) + channel;
    Direct::write_picked(load_as<Channels<std::uint8_t, kWidth>>(this->choice + at), load_as<Channels<T, kWidth>>(this->chosen + at),
                         load_as<Channels<T, kWidth>>(tpicked + at), lines, this->tp + at);
  }
};

/// And the walk over what the convolution has picked. Its pointers are those of all tasks: moved to one, each would take registers of its
/// own, which nvcc spilled.
template <class T_, int kWidth_>
struct PickedTangentPass : MomentsTangentPass<T_, kWidth_, 2> {
  using T = T_;
  using Base = MomentsTangentPass<T_, kWidth_, 2>;
  static constexpr int kWidth = kWidth_;

  const T *picked, *tpicked;
  const std::uint8_t* positions;
  T* out;
  std::int64_t first = 0;  ///< of the task

  __device__ __forceinline__ PickedTangentPass of_task(unsigned task) const {
    return {Base::of_task(task), picked, tpicked, positions, out, task * this->grid.pooled_elements()};
  }
  __device__ __forceinline__ void write(unsigned item, unsigned channel, const LineValues<T, kWidth, 5>& lines) const {
    const std::int64_t at = first + this->grid.pixel(item) + channel;
    Base::write_picked(load_as<Channels<std::uint8_t, kWidth>>(positions + at), load_as<Channels<T, kWidth>>(picked + at),
                       load_as<Channels<T, kWidth>>(tpicked + at), lines, out + at);
  }
};

template <class T, int kWidth, int kSide>
TangentPass<T, kWidth, kSide> tangent_pass(const NormReluPoolJvp& k) {
  return {NormGrid(k.y.shape, k.pool, k.kName),
          k.y.as<T>(),
          k.ty.as<T>(),
          Line<T>(k.mean),
          Line<T>(k.rstd),
          Line<T>(k.gamma),
          Line<T>(k.tgamma),
          Line<T>(k.tbeta),
          k.choice.as<std::uint8_t>(),
          k.tp.as<T>(),
          k.tmean.as<T>(),
          k.trstd.as<T>(),
          k.chosen.as<T>(),
          k.tchosen.as<T>()};
}

}  // namespace innerloop::kernels::cuda
