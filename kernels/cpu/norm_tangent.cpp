// Norm-ReLU-pool, tangent of the forward pass: dense sums of ty and ty (y - mean), then tp at the chosen pixels.
//
//   tp = A (ty - tmean) + B (y - mean) + tbeta,  A = gamma rstd,  B = rstd (tgamma - gamma rstd t)
#include "kernels/cpu/norm_grid.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

template <int kSide, class T>
void jvp(const NormReluPoolJvp& k, const NormGrid<T>& grid, std::int64_t t, Context& context) {
  using V = Vec<T>;
  const T* y = k.y.as<T>() + t * grid.task_elements();
  const T* ty = k.ty ? k.ty.as<T>() + t * grid.task_elements() : nullptr;
  const std::uint8_t* choice = k.choice.as<std::uint8_t>() + t * grid.pooled_elements();
  T* tp = k.tp.as<T>() + t * grid.pooled_elements();
  T *tmean = k.tmean.as<T>() + t * grid.channels, *trstd = k.trstd.as<T>() + t * grid.channels;
  const T *mean = line_of<T>(k.mean, t), *rstd = line_of<T>(k.rstd, t), *gamma = line_of<T>(k.gamma, t);
  const T *tgamma = line_of<T>(k.tgamma, t), *tbeta = line_of<T>(k.tbeta, t);

  const ChannelConstants<T, 5> constants(grid, context);  // mean, tmean, A, B, tbeta
  for (std::int64_t c = 0; c < grid.channels; ++c) constants.set(0, c, static_cast<double>(mean[c]));
  const Scratch<double> sums(context, 2 * grid.padded);
  for (std::int64_t c = 0; c < 2 * grid.padded; ++c) sums.data()[c] = 0;
  if (ty != nullptr)
    sum_over_pixels(grid, context, sums.data(), [&](auto lanes, std::int64_t at) {
      return [=, centre = constants.load(0, at)](std::int64_t i, V& sum, V& dot) IL_LAMBDA_INLINE {
        const V v = lanes.load(ty + i);
        sum = sum + v;
        dot = fma(v, lanes.load(y + i) - centre, dot);
      };
    });
  for (std::int64_t c = 0; c < grid.channels; ++c) {
    const double s = static_cast<double>(rstd[c]), g = at_or(gamma, c, 1);
    const double tm = sums.data()[c] * grid.per_pixel, along = s * sums.data()[grid.padded + c] * grid.per_pixel;
    tmean[c] = static_cast<T>(tm);
    trstd[c] = static_cast<T>(-s * s * along);
    constants.set(1, c, tm);
    constants.set(2, c, g * s);
    constants.set(3, c, s * (at_or(tgamma, c, 0) - g * s * along));
    constants.set(4, c, at_or(tbeta, c, 0));
  }

  const WindowOffsets<kSide> offsets(grid);
  for_each_group<Sweep::kBackward>(
      grid, context, [&](auto lanes, std::int64_t at, std::int64_t begin, std::int64_t end) {
        const V centre = constants.load(0, at), tcentre = constants.load(1, at), a = constants.load(2, at),
                b = constants.load(3, at), shift = constants.load(4, at);
        for (std::int64_t i = begin; i < end; ++i) {
          const auto band = grid.band(i);
          if (!band.windowed) continue;
          for (std::int64_t q = 0; q < grid.window_columns; ++q) {
            const std::int64_t pooled = band.pooled + q * grid.channels + at;
            const std::int64_t window = band.first + q * kSide * grid.channels + at;
            const Choice<T> c = Choice<T>::load(lanes, choice + pooled);
            V tz = fma(offsets.pick(lanes, y + window, c) - centre, b, shift);
            if (ty != nullptr) tz = fma(offsets.pick(lanes, ty + window, c) - tcentre, a, tz);
            lanes.store(tp + pooled, select(c.chosen(kDead), V::zero(), tz));
          }
        }
      });
}

void run_here(const NormReluPoolJvp& k, Context& context) {
  with_float(k.y.dtype, "norm_relu_pool_jvp", [&](auto tag) {
    const NormGrid<decltype(tag)> grid(k.y.shape, k.pool, "norm_relu_pool_jvp");
    context.threads().parallel_for(grid.tasks, [&](std::int64_t t) {
      with_side(k.pool, [&](auto side) { jvp<decltype(side)::value>(k, grid, t, context); });
    });
  });
}

IL_REGISTER_KERNEL(NormReluPoolJvp);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
