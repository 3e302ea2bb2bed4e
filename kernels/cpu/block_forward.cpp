// The conv block, forward: the convolution block by block, and while a block of y is in the cache its statistics and the
// deciding pixel of each of its windows. y is written once and, with a pool, never read again.
#include "kernels/conv_block.h"
#include "kernels/cpu/block_cut.h"
#include "kernels/cpu/block_of_images.h"
#include "kernels/cpu/conv_forward.h"
#include "kernels/cpu/norm_forward.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

/// Mean and variance of each channel, from sums of y - s and (y - s)^2 that each block takes with an s of its own: the mean of
/// a few of its pixels, so that nothing cancels. Blocks are joined in order, in float64.
template <class T>
class BlockStatistics {
 public:
  BlockStatistics(const NormGrid<T>& grid, const BandBlocks& blocks, Context& context)
      : grid_(grid), blocks_(blocks), shift_(context, blocks.count * grid.padded), sums_(context, blocks.count * 2 * grid.padded) {}

  /// `y` is the first of the block's pixels.
  void add(std::int64_t block, const T* y) const {
    constexpr std::int64_t kSamples = 8;
    const std::int64_t count = pixels(block);
    T* const shift = shift_.data() + block * grid_.padded;
    double* const sums = sums_.data() + block * 2 * grid_.padded;
    for (std::int64_t k = 0; k < grid_.padded; ++k) shift[k] = 0;
    for (std::int64_t i = 0; i < 2 * grid_.padded; ++i) sums[i] = 0;
    for (std::int64_t i = 0; i < kSamples; ++i) {
      const T* pixel = y + (2 * i + 1) * count / (2 * kSamples) * grid_.channels;
      for (std::int64_t k = 0; k < grid_.channels; ++k) shift[k] += pixel[k] * (T{1} / T{kSamples});
    }
    sum_pixel_range(grid_, 0, count, sums, [&](auto lanes, std::int64_t k) {
      using V = typename decltype(lanes)::Vector;
      return [=, s = V::load(shift + k)](std::int64_t at, V& sum, V& squares) IL_LAMBDA_INLINE {
        const V d = lanes.load(y + at) - s;
        sum = sum + d;
        squares = fma(d, d, squares);
      };
    });
  }

  void finish(double epsilon, T* mean, T* rstd) const {
    for (std::int64_t k = 0; k < grid_.channels; ++k) {
      double total = 0;
      for (std::int64_t b = 0; b < blocks_.count; ++b) total += static_cast<double>(shift(b, k)) * static_cast<double>(pixels(b)) + sum(b, k);
      const double m = total * grid_.per_pixel;
      double squares = 0;
      for (std::int64_t b = 0; b < blocks_.count; ++b) {
        // sum (y - m)^2 = sum (y - s)^2 - 2 (m - s) sum (y - s) + n (m - s)^2
        const double off = m - static_cast<double>(shift(b, k));
        squares += sums_.data()[(2 * b + 1) * grid_.padded + k] - off * (2 * sum(b, k) - off * static_cast<double>(pixels(b)));
      }
      const double variance = squares * grid_.per_pixel;
      mean[k] = static_cast<T>(m);
      rstd[k] = static_cast<T>(1 / __builtin_sqrt((variance < 0 ? 0 : variance) + epsilon));
    }
  }

 private:
  T shift(std::int64_t block, std::int64_t k) const { return shift_.data()[block * grid_.padded + k]; }
  double sum(std::int64_t block, std::int64_t k) const { return sums_.data()[2 * block * grid_.padded + k]; }
  std::int64_t pixels(std::int64_t block) const {
    return (grid_.row_of(blocks_.last(block)) - grid_.row_of(blocks_.first(block))) * grid_.width;
  }

  const NormGrid<T>& grid_;
  const BandBlocks& blocks_;
  Scratch<T> shift_;
  Scratch<double> sums_;
};

template <int kSide, class T>
void forward(const ConvBlockForward& k, const NormGrid<T>& grid, const GatherConv<T>& conv, std::int64_t t,
             Context& context) {
  const T* const y = stored_maps(grid, t, k.y).y;
  const NormForward<kSide, T> norm({line_of<T>(k.gamma, t), line_of<T>(k.beta, t),
                                    k.p.as<T>() + t * grid.pooled_elements(),
                                    k.choice.as<std::uint8_t>() + t * grid.pooled_elements()},
                                   grid, context);
  const BandBlocks blocks(grid, conv.sweep.row_unit());
  const BlockStatistics<T> statistics(grid, blocks, context);
  context.threads().parallel_for(blocks.count, [&](std::int64_t i) {
    const std::int64_t first = blocks.first(i), last = blocks.last(i);
    gather_rows(conv, t, {grid.row_of(first), grid.row_of(last)}, context);
    statistics.add(i, y + grid.band(first).first);
    if constexpr (kSide > 1)
      for_each_group_of(grid, first, last, [&](auto lanes, std::int64_t c, std::int64_t begin, std::int64_t end) {
        norm.pick(y, lanes, c, begin, end);
      });
  });
  T *const mean = k.mean.as<T>() + t * grid.channels, *const rstd = k.rstd.as<T>() + t * grid.channels;
  statistics.finish(k.epsilon, mean, rstd);
  norm.normalise(mean, rstd);
  if constexpr (kSide > 1) {
    for_each_pooled(grid, context, [&](auto lanes, std::int64_t c, std::int64_t begin, std::int64_t end) {
      norm.write_picked(lanes, c, begin, end);
    });
  } else {
    for_each_group<Sweep::kBackward>(grid, context, [&](auto lanes, std::int64_t c, std::int64_t begin, std::int64_t end) {
      norm.write(y, 0, lanes, c, begin, end);
    });
  }
}

void run_here(const ConvBlockForward& k, Context& context) {
  check_not_kept(ConvBlockForward::kName, k.chosen);
  if (!k.y) return block_of_images(k, context);
  with_float(k.y.dtype, ConvBlockForward::kName.data(), [&](auto tag) {
    using T = decltype(tag);
    const NormGrid<T> grid(k.y.shape, k.pool, "conv_block");
    if (!worth_fusing(grid, k.geometry)) return compose(k, context);
    const ConvForward op{k.geometry, {k.x, {}}, {k.w, {}}, k.y};
    const ConvSizes z = conv_sizes(ConvForward::kName, k.geometry, k.x, k.w, k.y);
    IL_CHECK(k.y.shape[0] == z.tasks, "{}: the output {} must have the task extent {}", ConvBlockForward::kName,
             k.y.shape.to_string(), z.tasks);
    const ForwardConv<T> conv(op, z, 1, context);
    context.threads().parallel_for(grid.tasks, [&](std::int64_t t) {
      with_side(k.pool, [&](auto side) { forward<decltype(side)::value>(k, grid, conv.gather(), t, context); });
    });
  });
}

IL_REGISTER_KERNEL(ConvBlockForward);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
