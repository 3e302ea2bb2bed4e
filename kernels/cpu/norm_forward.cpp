// Norm-ReLU-pool, forward: statistics in one pass over y, then the maximum of each window in a second.
//
// The statistics are sums of y - s and (y - s)^2, where s is the mean of a few pixels spread over the batch: close
// enough to the true mean that nothing cancels, and one pass instead of two.
#include "kernels/cpu/norm_grid.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

template <class T>
void statistics(const NormGrid<T>& grid, const T* y, double epsilon, T* mean, T* rstd, Context& context) {
  const ChannelConstants<T, 1> shift(grid, context);
  const std::int64_t samples = smaller(32, grid.pixels);
  const Scratch<double> scratch(context, 2 * grid.padded);
  double* sums = scratch.data();
  for (std::int64_t k = 0; k < grid.channels; ++k) sums[k] = 0;
  for (std::int64_t i = 0; i < samples; ++i) {
    const T* pixel = y + (2 * i + 1) * grid.pixels / (2 * samples) * grid.channels;
    for (std::int64_t k = 0; k < grid.channels; ++k) sums[k] += static_cast<double>(pixel[k]);
  }
  for (std::int64_t k = 0; k < grid.channels && samples > 0; ++k)
    shift.set(0, k, sums[k] / static_cast<double>(samples));
  sum_over_pixels(grid, context, sums, [&](auto lanes, std::int64_t k) {
    return [=, s = shift.load(0, k)](std::int64_t at, Vec<T>& sum, Vec<T>& squares) IL_LAMBDA_INLINE {
      const Vec<T> d = lanes.load(y + at) - s;
      sum = sum + d;
      squares = fma(d, d, squares);
    };
  });
  for (std::int64_t k = 0; k < grid.channels; ++k) {
    const double offset = sums[k] * grid.per_pixel;
    const double variance = sums[grid.padded + k] * grid.per_pixel - offset * offset;
    mean[k] = static_cast<T>(static_cast<double>(shift.get(0, k)) + offset);
    rstd[k] = static_cast<T>(1 / __builtin_sqrt((variance < 0 ? 0 : variance) + epsilon));
  }
}

/// p and choice of one task.
template <int kSide, class T>
void apply(const NormGrid<T>& grid, const T* y, const T* mean, const T* rstd, const T* gamma, const T* beta, T* p,
           std::uint8_t* choice, Context& context) {
  using V = Vec<T>;
  const ChannelConstants<T, 3> constants(grid, context);
  for (std::int64_t k = 0; k < grid.channels; ++k) {
    constants.set(0, k, static_cast<double>(mean[k]));
    constants.set(1, k, at_or(gamma, k, 1) * static_cast<double>(rstd[k]));
    constants.set(2, k, static_cast<double>(beta[k]));
  }
  const WindowOffsets<kSide> offsets(grid);
  for_each_group<Sweep::kBackward>(
      grid, context, [&](auto lanes, std::int64_t k, std::int64_t begin, std::int64_t end) {
        const V centre = constants.load(0, k), scale = constants.load(1, k), shift = constants.load(2, k);
        for (std::int64_t b = begin; b < end; ++b) {
          const auto band = grid.band(b);
          if (!band.windowed) continue;
          for (std::int64_t q = 0; q < grid.window_columns; ++q) {
            const T* window = y + band.first + q * kSide * grid.channels + k;
            V best = fma(lanes.load(window) - centre, scale, shift);
            V nan = best;  // a NaN of the window, where has_nan
            Mask<T> has_nan = unordered(best, best);
            Choice<T> position = Choice<T>::broadcast(0);
            for (int i = 1; i < kSide * kSide; ++i) {
              const V z = fma(lanes.load(window + offsets.at[i]) - centre, scale, shift);
              const Mask<T> wins = greater(z, best);
              const Mask<T> is_nan = unordered(z, z);
              nan = select(is_nan, z, nan);
              has_nan = has_nan | is_nan;
              best = select(wins, z, best);
              position = select(wins, Choice<T>::broadcast(i), position);
            }
            const Mask<T> alive = greater(best, V::zero());
            const std::int64_t to = band.pooled + q * grid.channels + k;
            lanes.store(p + to, select(has_nan, nan, select(alive, best, V::zero())));
            select(has_nan, Choice<T>::broadcast(kDead), select(alive, position, Choice<T>::broadcast(kDead)))
                .store(lanes, choice + to);
          }
        }
      });
}

template <class T>
void forward(const NormReluPoolForward& k, Context& context) {
  const NormGrid<T> grid(k.y.shape, k.pool, "norm_relu_pool");
  context.threads().parallel_for(grid.tasks, [&](std::int64_t t) {
    const T* y = k.y.as<T>() + t * grid.task_elements();
    T *mean = k.mean.as<T>() + t * grid.channels, *rstd = k.rstd.as<T>() + t * grid.channels;
    statistics(grid, y, k.epsilon, mean, rstd, context);
    with_side(k.pool, [&](auto side) {
      apply<decltype(side)::value>(grid, y, mean, rstd, line_of<T>(k.gamma, t), line_of<T>(k.beta, t),
                                   k.p.as<T>() + t * grid.pooled_elements(),
                                   k.choice.as<std::uint8_t>() + t * grid.pooled_elements(), context);
    });
  });
}

template <class T>
void forward(const NormReluPoolApply& k, Context& context) {
  const NormGrid<T> grid(k.y.shape, k.pool, "norm_relu_pool_apply");
  context.threads().parallel_for(grid.tasks, [&](std::int64_t t) {
    with_side(k.pool, [&](auto side) {
      apply<decltype(side)::value>(grid, k.y.as<T>() + t * grid.task_elements(), line_of<T>(k.mean, t),
                                   line_of<T>(k.rstd, t), line_of<T>(k.gamma, t), line_of<T>(k.beta, t),
                                   k.p.as<T>() + t * grid.pooled_elements(),
                                   k.choice.as<std::uint8_t>() + t * grid.pooled_elements(), context);
    });
  });
}

void run_here(const NormReluPoolForward& k, Context& context) {
  with_float(k.y.dtype, "norm_relu_pool", [&](auto tag) { forward<decltype(tag)>(k, context); });
}

void run_here(const NormReluPoolApply& k, Context& context) {
  with_float(k.y.dtype, "norm_relu_pool_apply", [&](auto tag) { forward<decltype(tag)>(k, context); });
}

IL_REGISTER_KERNEL(NormReluPoolForward);
IL_REGISTER_KERNEL(NormReluPoolApply);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
