// The conv block, gradient: channel sums on the pooled grid, then gy, gx and gw block by block (block_gradient.h).
#include "kernels/cpu/block_gradient.h"
#include "kernels/cpu/block_of_images.h"
#include "kernels/cpu/norm_grad.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

template <class T>
void grad(const NormReluPoolGrad& op, const NormGrid<T>& grid, const BlockBackward<T>& backward, std::int64_t t, Context& context) {
  with_side(op.pool, [&](auto side) {
    const NormGrad<decltype(side)::value, T> norm(op, grid, t, context);
    backward.run(t, [&](std::int64_t first, std::int64_t last, T* out, T*, std::int64_t skipped) {
      for_each_group_of(grid, first, last, [&](auto lanes, std::int64_t c, std::int64_t begin, std::int64_t end) {
        norm.write(lanes, c, begin, end, out, skipped);
      });
    });
  });
}

void run_here(const ConvBlockGrad& k, Context& context) {
  if (!k.y) return block_of_images(k, context);
  with_float(k.y.dtype, ConvBlockGrad::kName.data(), [&](auto tag) {
    using T = decltype(tag);
    const NormGrid<T> grid(k.y.shape, k.pool, "conv_block_grad");
    const ConstView gy{nullptr, k.y.dtype, k.y.shape};
    const BackwardPair pair{{k.geometry, {gy, {}}, {k.w, {}}, k.gx}, {k.geometry, {k.x, {}}, {gy, {}}, k.gw}};
    if (!BlockBackward<T>::possible(pair, grid)) return compose(k, context);
    const BlockBackward<T> backward(pair, grid, context);
    const NormReluPoolGrad op = norm_of(k, {});
    context.threads().parallel_for(grid.tasks, [&](std::int64_t t) { grad(op, grid, backward, t, context); });
  });
}

IL_REGISTER_KERNEL(ConvBlockGrad);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
