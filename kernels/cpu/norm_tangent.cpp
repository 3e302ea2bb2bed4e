// Norm-ReLU-pool, tangent of the forward pass (norm_tangent.h).
#include "kernels/cpu/norm_tangent.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

template <int kSide, class T>
void jvp(const NormReluPoolJvp& k, const NormGrid<T>& grid, std::int64_t t, Context& context) {
  const NormTangent<kSide, T> norm(k, grid, t, context);
  const Scratch<double> sums(context, 2 * grid.padded);
  for (std::int64_t c = 0; c < 2 * grid.padded; ++c) sums.data()[c] = 0;
  if (k.ty) sum_over_pixels(grid, context, sums.data(), norm.sums());
  norm.finish(sums.data());
  for_each_group<Sweep::kBackward>(grid, context, [&](auto lanes, std::int64_t at, std::int64_t begin, std::int64_t end) {
    norm.write(lanes, at, begin, end);
  });
}

void run_here(const NormReluPoolJvp& k, Context& context) {
  check_not_kept(NormReluPoolJvp::kName, k.tchosen);
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
