// The conv block, tangent of the gradient: channel sums on the pooled grid, then tgy (and gy again, where a second pair of
// operands needs it), tgx and tgw block by block (block_gradient.h).
#include "kernels/cpu/block_gradient.h"
#include "kernels/cpu/block_of_images.h"
#include "kernels/cpu/norm_grad_tangent.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

template <class T>
void grad_tangent(const NormReluPoolGradJvp& op, const NormGrid<T>& grid, const BlockBackward<T>& backward, std::int64_t t,
                  Context& context) {
  with_side(op.pool, [&](auto side) {
    const NormGradTangent<decltype(side)::value, T> norm(op, grid, t, context);
    backward.run(t, [&](std::int64_t first, std::int64_t last, T* tgy, T* gy, std::int64_t skipped) {
      for_each_group_of(grid, first, last, [&](auto lanes, std::int64_t c, std::int64_t begin, std::int64_t end) {
        norm.write(lanes, c, begin, end, gy, tgy, skipped);
      });
    });
  });
}

void run_here(const ConvBlockGradJvp& k, Context& context) {
  if (!k.y) return block_of_images(k, context);
  with_float(k.y.dtype, ConvBlockGradJvp::kName.data(), [&](auto tag) {
    using T = decltype(tag);
    const NormGrid<T> grid(k.y.shape, k.pool, "conv_block_grad_jvp");
    // Source 0 is tgy, source 1 gy: tgx = D(tgy, w) + D(gy, tw);  tgw = W(x, tgy) + W(tx, gy).
    const ConstView gy{nullptr, k.y.dtype, k.y.shape}, none;
    const bool second_w = k.tgx && k.tw, second_x = static_cast<bool>(k.tx);
    const BackwardPair pair{
        {k.geometry, {gy, second_w ? gy : none}, {k.w, second_w ? k.tw : none}, k.tgx},
        {k.geometry, {k.x, second_x ? k.tx : none}, {gy, second_x ? gy : none}, k.tgw},
        second_w ? 2 : 1,
        second_x ? 2 : 1};
    if (!BlockBackward<T>::possible(pair, grid)) return compose(k, context);
    const BlockBackward<T> backward(pair, grid, context);
    const NormReluPoolGradJvp op = norm_of(k, {}, {});
    context.threads().parallel_for(grid.tasks, [&](std::int64_t t) { grad_tangent(op, grid, backward, t, context); });
  });
}

IL_REGISTER_KERNEL(ConvBlockGradJvp);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
