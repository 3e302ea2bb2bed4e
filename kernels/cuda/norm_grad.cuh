// Pass of norm-ReLU-pool, gradient: the channel sums on the pooled grid, then gy densely as an affine map of y.
//
//   gy = A gz + B (y - mean) + C,  A = gamma rstd,  B = -A rstd ggamma/M,  C = -A gbeta/M
#pragma once

#include "kernels/cuda/norm_block.cuh"
#include "kernels/cuda/norm_step.cuh"

namespace innerloop::kernels::cuda {

template <class T_, int kWidth_, int kSide>
struct GradPass {
  using T = T_;
  static constexpr int kWidth = kWidth_, kGiven = 1, kConstants = 4, kUnroll = 2;
  enum Constant { kMean, kA, kB, kC };  // as in conv_made.h

  NormGrid grid;
  const T* y;
  Line<T> mean, rstd, gamma;
  const std::uint8_t* choice;
  const T* gp;
  T *gy, *ggamma, *gbeta;
  ChannelStep<T> step;
  const T* chosen;  // null: from y

  __device__ __forceinline__ GradPass of_task(unsigned task) const {
    GradPass pass = *this;
    pass.y += task * grid.task_elements(), pass.gy = cuda::of_task(gy, task, grid.task_elements());
    pass.choice += task * grid.pooled_elements(), pass.gp += task * grid.pooled_elements();
    pass.mean = mean.of_task(task), pass.rstd = rstd.of_task(task), pass.gamma = gamma.of_task(task);
    pass.ggamma += static_cast<std::int64_t>(task) * grid.channels;
    pass.gbeta += static_cast<std::int64_t>(task) * grid.channels;
    pass.step = step.of_task(task, grid.channels);
    pass.chosen = cuda::of_task(chosen, task, grid.pooled_elements());
    return pass;
  }

  IL_HD unsigned terms() const { return grid.windows; }
  __device__ __forceinline__ void prepare(unsigned channel, Column<T> given) const { given[0] = mean.data[channel]; }
  __device__ __forceinline__ void add(unsigned item, unsigned channel, const LineValues<T, kWidth, 1>& given,
                                      Channels<T, kWidth>& sum, Channels<T, kWidth>& dot) const {
    const WindowPlace<kSide> place(grid, item);
    const auto position = load_as<Channels<std::uint8_t, kWidth>>(choice + place.pooled + channel);
    const auto cotangent = load_as<Channels<T, kWidth>>(gp + place.pooled + channel);
    const auto value = at_chosen<kSide, T, kWidth>(grid, chosen, y, place, channel, position);
#pragma unroll
    for (int v = 0; v < kWidth; ++v) {
      const T g = position.at[v] == kDead ? T{0} : cotangent.at[v];
      sum.at[v] += g;
      dot.at[v] = fused_multiply_add(g, value.at[v] - given.line[0].at[v], dot.at[v]);
    }
  }
  __device__ __forceinline__ void finish(unsigned channel, Column<T> given, double sum, double dot,
                                         Column<T> constants) const {
    const auto s = static_cast<double>(rstd.data[channel]);
    const double a = gamma.at_or(channel, 1) * s, gg = s * dot;
    gbeta[channel] = static_cast<T>(sum);
    ggamma[channel] = static_cast<T>(gg);
    step.take(channel, static_cast<T>(gg), static_cast<T>(sum));
    constants[kMean] = given[0];
    constants[kA] = static_cast<T>(a);
    constants[kB] = static_cast<T>(-a * s * gg * grid.per_pixel);
    constants[kC] = static_cast<T>(-a * sum * grid.per_pixel);
  }

  IL_HD unsigned cells() const { return grid.cells; }
  __device__ __forceinline__ void write(unsigned item, unsigned channel, const LineValues<T, kWidth, 4>& lines) const {
    const CellPlace<kSide> place(grid, item);
    const T* from = y + place.first + channel;
    Channels<T, kWidth> value[kSide * kSide], hit{};
    Channels<std::uint8_t, kWidth> position{};
    // All loads before the first store: they are then in flight together.
#pragma unroll
    for (int j = 0; j < kSide * kSide; ++j)
      if (place.has(j)) value[j] = load_as<Channels<T, kWidth>>(from + offset_in_window<kSide>(grid, j));
    if (place.windowed) {
      position = load_as<Channels<std::uint8_t, kWidth>>(choice + place.pooled + channel);
      hit = load_as<Channels<T, kWidth>>(gp + place.pooled + channel);
    }
#pragma unroll
    for (int v = 0; v < kWidth; ++v) {
      hit.at[v] = fused_multiply_add(hit.at[v], lines.line[kA].at[v], lines.line[kC].at[v]);
      if (!place.windowed) position.at[v] = kDead;
    }
#pragma unroll
    for (int j = 0; j < kSide * kSide; ++j) {
      if (!place.has(j)) continue;
      Channels<T, kWidth> out;
#pragma unroll
      for (int v = 0; v < kWidth; ++v)
        out.at[v] = fused_multiply_add(value[j].at[v] - lines.line[kMean].at[v], lines.line[kB].at[v],
                                       position.at[v] == j ? hit.at[v] : lines.line[kC].at[v]);
      store_as(gy + place.first + offset_in_window<kSide>(grid, j) + channel, out);
    }
  }
};

template <class T, int kWidth, int kSide>
GradPass<T, kWidth, kSide> grad_pass(const NormReluPoolGrad& k, const NormStep& step) {
  return {NormGrid(k.y.shape, k.pool, k.kName), k.y.as<T>(),      Line<T>(k.mean),     Line<T>(k.rstd), Line<T>(k.gamma),
          k.choice.as<std::uint8_t>(),          k.gp.as<T>(),     k.gy.as<T>(),        k.ggamma.as<T>(), k.gbeta.as<T>(),
          ChannelStep<T>(step),                 k.chosen.as<T>()};
}

}  // namespace innerloop::kernels::cuda
