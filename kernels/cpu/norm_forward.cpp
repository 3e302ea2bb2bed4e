// Norm-ReLU-pool, forward: statistics in one pass over y, then the maximum of each window in a second.
//
// The statistics are sums of y - s and (y - s)^2, where s is the mean of a few pixels spread over the batch: close
// enough to the true mean that nothing cancels, and one pass instead of two.
#include "kernels/cpu/norm_forward.h"

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
    using V = typename decltype(lanes)::Vector;
    return [=, s = shift.template load<V>(0, k)](std::int64_t at, V& sum, V& squares) IL_LAMBDA_INLINE {
      const V d = lanes.load(y + at) - s;
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
template <int kSide, class K, class T>
void apply(const K& k, const NormGrid<T>& grid, std::int64_t t, const T* mean, const T* rstd, Context& context) {
  const NormForward<kSide, T> norm({line_of<T>(k.gamma, t), line_of<T>(k.beta, t),
                                    k.p.template as<T>() + t * grid.pooled_elements(),
                                    k.choice.template as<std::uint8_t>() + t * grid.pooled_elements()},
                                   grid, context);
  norm.normalise(mean, rstd);
  const T* const y = stored_maps(grid, t, k.y).y;
  for_each_group<Sweep::kBackward>(grid, context, [&](auto lanes, std::int64_t c, std::int64_t begin, std::int64_t end) {
    norm.write(y, 0, lanes, c, begin, end);
  });
}

template <class T>
void forward(const NormReluPoolForward& k, Context& context) {
  const NormGrid<T> grid(k.y.shape, k.pool, "norm_relu_pool");
  context.threads().parallel_for(grid.tasks, [&](std::int64_t t) {
    const T* y = k.y.as<T>() + t * grid.task_elements();
    T *mean = k.mean.as<T>() + t * grid.channels, *rstd = k.rstd.as<T>() + t * grid.channels;
    statistics(grid, y, k.epsilon, mean, rstd, context);
    with_side(k.pool, [&](auto side) { apply<decltype(side)::value>(k, grid, t, mean, rstd, context); });
  });
}

template <class T>
void forward(const NormReluPoolApply& k, Context& context) {
  const NormGrid<T> grid(k.y.shape, k.pool, "norm_relu_pool_apply");
  context.threads().parallel_for(grid.tasks, [&](std::int64_t t) {
    with_side(k.pool, [&](auto side) {
      apply<decltype(side)::value>(k, grid, t, line_of<T>(k.mean, t), line_of<T>(k.rstd, t), context);
    });
  });
}

void run_here(const NormReluPoolForward& k, Context& context) {
  check_not_kept(NormReluPoolForward::kName, k.chosen);
  with_float(k.y.dtype, "norm_relu_pool", [&](auto tag) { forward<decltype(tag)>(k, context); });
}

void run_here(const NormReluPoolApply& k, Context& context) {
  with_float(k.y.dtype, "norm_relu_pool_apply", [&](auto tag) { forward<decltype(tag)>(k, context); });
}

IL_REGISTER_KERNEL(NormReluPoolForward);
IL_REGISTER_KERNEL(NormReluPoolApply);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
