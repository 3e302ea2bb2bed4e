// Pass of norm-ReLU-pool, tangent of the gradient: sums on the pooled grid, then gy and tgy in one dense walk.
//
//   gy  = A gz + X (y - mean) + C
//   tgy = P gz + A tgz + D (y - mean) + X (ty - tmean) + E
//   A = gamma rstd,  P = tgamma rstd + gamma trstd,  X = -A rstd ggamma/M,  C = -A gbeta/M,
//   D = -P rstd ggamma/M - A (trstd ggamma + rstd tggamma)/M,  E = -(P gbeta + A tgbeta)/M
#pragma once

#include "kernels/cuda/norm_block.cuh"
#include "kernels/cuda/norm_step.cuh"

namespace innerloop::kernels::cuda {

template <class T_, int kWidth_, int kSide>
struct GradTangentPass {
  using T = T_;
  static constexpr int kWidth = kWidth_, kGiven = 2, kConstants = 8, kUnroll = 1;
  enum Constant { kMean, kA, kX, kC, kTMean, kP, kD, kE };  // as in conv_made.h

  NormGrid grid;
  const T *y, *ty, *gp, *tgp;  // ty and tgp null: zero
  const std::uint8_t* choice;
  Line<T> mean, rstd, gamma, tmean, trstd, tgamma, ggamma, gbeta;
  T *gy, *tgy;  // gy null: not wanted
  T *tggamma, *tgbeta;  // null: not wanted
  ChannelStep<T> step;
  const T *chosen, *tchosen;  // null: from y, from ty

  __device__ __forceinline__ GradTangentPass of_task(unsigned task) const {
    GradTangentPass pass = *this;
    pass.y += task * grid.task_elements(), pass.ty = cuda::of_task(ty, task, grid.task_elements());
    pass.gp += task * grid.pooled_elements(), pass.tgp = cuda::of_task(tgp, task, grid.pooled_elements());
    pass.choice += task * grid.pooled_elements();
    pass.mean = mean.of_task(task), pass.rstd = rstd.of_task(task), pass.gamma = gamma.of_task(task);
    pass.tmean = tmean.of_task(task), pass.trstd = trstd.of_task(task), pass.tgamma = tgamma.of_task(task);
    pass.ggamma = ggamma.of_task(task), pass.gbeta = gbeta.of_task(task);
    pass.gy = cuda::of_task(gy, task, grid.task_elements()), pass.tgy = cuda::of_task(tgy, task, grid.task_elements());
    pass.tggamma = cuda::of_task(tggamma, task, grid.channels), pass.tgbeta = cuda::of_task(tgbeta, task, grid.channels);
    pass.step = step.of_task(task, grid.channels);
    pass.chosen = cuda::of_task(chosen, task, grid.pooled_elements());
    pass.tchosen = cuda::of_task(tchosen, task, grid.pooled_elements());
    return pass;
  }

  IL_HD unsigned terms() const { return grid.windows; }
  __device__ __forceinline__ void prepare(unsigned channel, Column<T> given) const {
    given[0] = mean.data[channel];
    given[1] = static_cast<T>(tmean.at_or(channel, 0));
  }
  /// sum of tgz, and of tgz (y - mean) + gz (ty - tmean)
  __device__ __forceinline__ void add(unsigned item, unsigned channel, const LineValues<T, kWidth, 2>& given,
                                      Channels<T, kWidth>& sum, Channels<T, kWidth>& dot) const {
    const WindowPlace<kSide> place(grid, item);
    const auto position = load_as<Channels<std::uint8_t, kWidth>>(choice + place.pooled + channel);
    const auto cotangent = load_as<Channels<T, kWidth>>(gp + place.pooled + channel);
    Channels<T, kWidth> moved{};  // ty at the chosen pixels
    if (ty != nullptr) moved = at_chosen<kSide, T, kWidth>(grid, tchosen, ty, place, channel, position);
    if (tgp != nullptr) {
      const auto tcotangent = load_as<Channels<T, kWidth>>(tgp + place.pooled + channel);
      const auto value = at_chosen<kSide, T, kWidth>(grid, chosen, y, place, channel, position);
#pragma unroll
      for (int v = 0; v < kWidth; ++v) {
        const T tg = position.at[v] == kDead ? T{0} : tcotangent.at[v];
        sum.at[v] += tg;
        dot.at[v] = fused_multiply_add(tg, value.at[v] - given.line[0].at[v], dot.at[v]);
      }
    }
#pragma unroll
    for (int v = 0; v < kWidth; ++v) {
      const T g = position.at[v] == kDead ? T{0} : cotangent.at[v];
      dot.at[v] = fused_multiply_add(g, moved.at[v] - given.line[1].at[v], dot.at[v]);
    }
  }
  __device__ __forceinline__ void finish(unsigned channel, Column<T> given, double sum, double dot,
                                         Column<T> constants) const {
    const double s = static_cast<double>(rstd.data[channel]), ts = trstd.at_or(channel, 0);
    const double g = gamma.at_or(channel, 1), m = grid.per_pixel;
    const double gg = static_cast<double>(ggamma.data[channel]), gb = static_cast<double>(gbeta.data[channel]);
    // sum gz (y - mean) is ggamma/rstd, known from the gradient.
    const double tgg = fused_multiply_add(s, dot, ts * (gg / s));
    const double a = g * s, p = fused_multiply_add(g, ts, tgamma.at_or(channel, 0) * s);
    if (tgbeta != nullptr) tgbeta[channel] = static_cast<T>(sum);
    if (tggamma != nullptr) tggamma[channel] = static_cast<T>(tgg);
    step.take(channel, static_cast<T>(tgg), static_cast<T>(sum));
    constants[kMean] = given[0];
    constants[kTMean] = given[1];
    constants[kA] = static_cast<T>(a);
    constants[kP] = static_cast<T>(p);
    constants[kX] = static_cast<T>(-a * s * gg * m);
    constants[kC] = static_cast<T>(-a * gb * m);
    constants[kD] = static_cast<T>(-fused_multiply_add(a, fused_multiply_add(s, tgg, ts * gg), p * s * gg) * m);
    constants[kE] = static_cast<T>(-fused_multiply_add(a, sum, p * gb) * m);
  }

  IL_HD unsigned cells() const { return grid.cells; }
  __device__ __forceinline__ void write(unsigned item, unsigned channel, const LineValues<T, kWidth, 8>& lines) const {
    const CellPlace<kSide> place(grid, item);
    Channels<T, kWidth> value[kSide * kSide], tangent[kSide * kSide] = {};
    // All loads before the first store: they are then in flight together.
#pragma unroll
    for (int j = 0; j < kSide * kSide; ++j) {
      if (!place.has(j)) continue;
      const std::int64_t at = place.first + offset_in_window<kSide>(grid, j) + channel;
      value[j] = load_as<Channels<T, kWidth>>(y + at);
      if (ty != nullptr) tangent[j] = load_as<Channels<T, kWidth>>(ty + at);
    }
    Channels<std::uint8_t, kWidth> position{};
    Channels<T, kWidth> gz{}, tgz{};
    if (place.windowed) {
      position = load_as<Channels<std::uint8_t, kWidth>>(choice + place.pooled + channel);
      gz = load_as<Channels<T, kWidth>>(gp + place.pooled + channel);
      if (tgp != nullptr) tgz = load_as<Channels<T, kWidth>>(tgp + place.pooled + channel);
    }
    Channels<T, kWidth> hit, thit;  // A gz + C and P gz + A tgz + E
#pragma unroll
    for (int v = 0; v < kWidth; ++v) {
      if (!place.windowed) position.at[v] = kDead;
      const T a = lines.line[kA].at[v];
      hit.at[v] = fused_multiply_add(gz.at[v], a, lines.line[kC].at[v]);
      thit.at[v] = fused_multiply_add(gz.at[v], lines.line[kP].at[v],
                                      fused_multiply_add(tgz.at[v], a, lines.line[kE].at[v]));
    }
#pragma unroll
    for (int j = 0; j < kSide * kSide; ++j) {
      if (!place.has(j)) continue;
      Channels<T, kWidth> out, tout;
#pragma unroll
      for (int v = 0; v < kWidth; ++v) {
        const bool here = position.at[v] == j;
        const T dy = value[j].at[v] - lines.line[kMean].at[v], x = lines.line[kX].at[v];
        const T dty = tangent[j].at[v] - lines.line[kTMean].at[v];
        out.at[v] = fused_multiply_add(dy, x, here ? hit.at[v] : lines.line[kC].at[v]);
        tout.at[v] = fused_multiply_add(
            dty, x, fused_multiply_add(dy, lines.line[kD].at[v], here ? thit.at[v] : lines.line[kE].at[v]));
      }
      const std::int64_t at = place.first + offset_in_window<kSide>(grid, j) + channel;
      if (gy != nullptr) store_as(gy + at, out);
      store_as(tgy + at, tout);
    }
  }
};

template <class T, int kWidth, int kSide>
GradTangentPass<T, kWidth, kSide> grad_tangent_pass(const NormReluPoolGradJvp& k, const NormStep& step) {
  return {NormGrid(k.y.shape, k.pool, k.kName),
          k.y.as<T>(),
          k.ty.as<T>(),
          k.gp.as<T>(),
          k.tgp.as<T>(),
          k.choice.as<std::uint8_t>(),
          Line<T>(k.mean),
          Line<T>(k.rstd),
          Line<T>(k.gamma),
          Line<T>(k.tmean),
          Line<T>(k.trstd),
          Line<T>(k.tgamma),
          Line<T>(k.ggamma),
          Line<T>(k.gbeta),
          k.gy.as<T>(),
          k.tgy.as<T>(),
          k.tggamma.as<T>(),
          k.tgbeta.as<T>(),
          ChannelStep<T>(step),
          k.chosen.as<T>(),
          k.tchosen.as<T>()};
}

}  // namespace innerloop::kernels::cuda
