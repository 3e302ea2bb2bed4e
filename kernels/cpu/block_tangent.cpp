// The conv block, tangent: the dual convolution block by block, and while a block of ty is in the cache the sums over it and
// y and ty at its chosen pixels. ty is written once and, with a pool, never read again.
#include "kernels/conv_block.h"
#include "kernels/cpu/block_cut.h"
#include "kernels/cpu/block_of_images.h"
#include "kernels/cpu/conv_forward.h"
#include "kernels/cpu/norm_tangent.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

template <int kSide, class T>
void tangent(const ConvBlockJvp& k, const NormGrid<T>& grid, const GatherConv<T>& ty, std::int64_t t, Context& context) {
  const NormReluPoolJvp op = norm_of(k);
  const NormTangent<kSide, T> norm(op, grid, t, context);
  const BandBlocks blocks(grid, ty.sweep.row_unit());
  const std::int64_t line = 2 * grid.padded;
  const Scratch<double> sums(context, blocks.count * line);
  const Scratch<T> y_chosen(context, kSide > 1 ? grid.pooled_elements() : 0);
  for (std::int64_t i = 0; i < blocks.count * line; ++i) sums.data()[i] = 0;
  context.threads().parallel_for(blocks.count, [&](std::int64_t i) {
    const std::int64_t first = blocks.first(i), last = blocks.last(i);
    gather_rows(ty, t, {grid.row_of(first), grid.row_of(last)}, context);
    sum_pixel_range(grid, grid.row_of(first) * grid.width, grid.row_of(last) * grid.width, sums.data() + i * line,
                    norm.sums());
    if constexpr (kSide > 1)
      for_each_group_of(grid, first, last, [&](auto lanes, std::int64_t c, std::int64_t begin, std::int64_t end) {
        norm.pick(lanes, c, begin, end, y_chosen.data());
      });
  });
  for (std::int64_t b = 1; b < blocks.count; ++b) add_in_place(sums.data(), sums.data() + b * line, line);
  norm.finish(sums.data());
  if constexpr (kSide > 1) {
    for_each_pooled(grid, context, [&](auto lanes, std::int64_t c, std::int64_t begin, std::int64_t end) {
      norm.write_picked(lanes, c, begin, end, y_chosen.data());
    });
  } else {
    for_each_group<Sweep::kBackward>(grid, context, [&](auto lanes, std::int64_t c, std::int64_t begin, std::int64_t end) {
      norm.write(lanes, c, begin, end);
    });
  }
}

void run_here(const ConvBlockJvp& k, Context& context) {
  check_not_kept(ConvBlockJvp::kName, k.tchosen);
  if (!k.y) return block_of_images(k, context);
  with_float(k.y.dtype, ConvBlockJvp::kName.data(), [&](auto tag) {
    using T = decltype(tag);
    const NormGrid<T> grid(k.y.shape, k.pool, "conv_block_jvp");
    if (!(k.tx || k.tw) || !worth_fusing(grid, k.geometry)) return compose(k, context);
    ConvForward op{k.geometry, {}, {}, k.ty};
    int pairs = 0;
    if (k.tx) op.x[pairs] = k.tx, op.w[pairs++] = k.w;
    if (k.tw) op.x[pairs] = k.x, op.w[pairs++] = k.tw;
    const ConvSizes z = conv_sizes(ConvForward::kName, k.geometry, pairs, [&](int n) { return op.x[n]; },
                                   [&](int n) { return op.w[n]; }, [&](int) -> ConstView { return op.y; });
    if (z.tasks != grid.tasks) return compose(k, context);
    const ForwardConv<T> conv(op, z, pairs, context);
    context.threads().parallel_for(grid.tasks, [&](std::int64_t t) {
      with_side(k.pool, [&](auto side) { tangent<decltype(side)::value>(k, grid, conv.gather(), t, context); });
    });
  });
}

IL_REGISTER_KERNEL(ConvBlockJvp);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
