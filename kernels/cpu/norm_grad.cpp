// Norm-ReLU-pool, gradient: the channel sums on the pooled grid, then gy densely as an affine map of y.
//
//   gy = A gz + B (y - mean) + C,  A = gamma rstd,  B = -A rstd ggamma/M,  C = -A gbeta/M
// gz is not zero at the chosen pixel of a window only, so A gz + C takes two values in a window, made once.
#include "kernels/cpu/norm_grid.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

template <int kSide, class T>
void grad(const NormReluPoolGrad& k, const NormGrid<T>& grid, std::int64_t t, Context& context) {
  using V = Vec<T>;
  const T* y = k.y.as<T>() + t * grid.task_elements();
  const T* gp = k.gp.as<T>() + t * grid.pooled_elements();
  const std::uint8_t* choice = k.choice.as<std::uint8_t>() + t * grid.pooled_elements();
  T* gy = k.gy.as<T>() + t * grid.task_elements();
  T *ggamma = k.ggamma.as<T>() + t * grid.channels, *gbeta = k.gbeta.as<T>() + t * grid.channels;
  const T *mean = line_of<T>(k.mean, t), *rstd = line_of<T>(k.rstd, t), *gamma = line_of<T>(k.gamma, t);

  const ChannelConstants<T, 4> constants(grid, context);  // mean, A, B, C
  for (std::int64_t c = 0; c < grid.channels; ++c) constants.set(0, c, static_cast<double>(mean[c]));
  const WindowOffsets<kSide> offsets(grid);
  const Scratch<double> sums(context, 2 * grid.padded);
  sum_over_windows(grid, context, sums.data(), [&](auto lanes, std::int64_t at) {
    return [=, &offsets, centre = constants.load(0, at)](std::int64_t window, std::int64_t pooled, V& sum, V& dot)
               IL_LAMBDA_INLINE {
                 const Choice<T> c = Choice<T>::load(lanes, choice + pooled);
                 const V g = select(c.chosen(kDead), V::zero(), lanes.load(gp + pooled));
                 sum = sum + g;
                 dot = fma(g, offsets.pick(lanes, y + window, c) - centre, dot);
               };
  });
  for (std::int64_t c = 0; c < grid.channels; ++c) {
    const double s = static_cast<double>(rstd[c]), a = at_or(gamma, c, 1) * s;
    const double gb = sums.data()[c], gg = s * sums.data()[grid.padded + c];
    gbeta[c] = static_cast<T>(gb);
    ggamma[c] = static_cast<T>(gg);
    constants.set(1, c, a);
    constants.set(2, c, -a * s * gg * grid.per_pixel);
    constants.set(3, c, -a * gb * grid.per_pixel);
  }

  for_each_group<Sweep::kBackward>(
      grid, context, [&](auto lanes, std::int64_t at, std::int64_t begin, std::int64_t end) {
        const V centre = constants.load(0, at), a = constants.load(1, at), b = constants.load(2, at),
                c = constants.load(3, at);
        const auto plain = [&](std::int64_t i)
                               IL_LAMBDA_INLINE { lanes.store(gy + i, fma(lanes.load(y + i) - centre, b, c)); };
        for (std::int64_t i = begin; i < end; ++i) {
          const auto band = grid.band(i);
          const std::int64_t first = band.first + at;
          if (!band.windowed) {
            for (std::int64_t x = 0; x < grid.width; ++x) plain(first + x * grid.channels);
            continue;
          }
          for (std::int64_t q = 0; q < grid.window_columns; ++q) {
            const std::int64_t pooled = band.pooled + q * grid.channels + at,
                               window = first + q * kSide * grid.channels;
            const Choice<T> chosen = Choice<T>::load(lanes, choice + pooled);
            const V hit = fma(lanes.load(gp + pooled), a, c);
            for (int j = 0; j < kSide * kSide; ++j) {
              const std::int64_t to = window + offsets.at[j];
              lanes.store(gy + to, fma(lanes.load(y + to) - centre, b, select(chosen.chosen(j), hit, c)));
            }
          }
          for (std::int64_t x = grid.window_columns * kSide; x < grid.width; ++x)
            for (int r = 0; r < kSide; ++r) plain(first + (r * grid.width + x) * grid.channels);
        }
      });
}

void run_here(const NormReluPoolGrad& k, Context& context) {
  with_float(k.y.dtype, "norm_relu_pool_grad", [&](auto tag) {
    const NormGrid<decltype(tag)> grid(k.y.shape, k.pool, "norm_relu_pool_grad");
    context.threads().parallel_for(grid.tasks, [&](std::int64_t t) {
      with_side(k.pool, [&](auto side) { grad<decltype(side)::value>(k, grid, t, context); });
    });
  });
}

IL_REGISTER_KERNEL(NormReluPoolGrad);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
