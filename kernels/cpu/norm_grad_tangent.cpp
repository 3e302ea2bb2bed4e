// Norm-ReLU-pool, tangent of the gradient (norm_grad_tangent.h).
#include "kernels/cpu/norm_grad_tangent.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

template <int kSide, class T>
void grad_tangent(const NormReluPoolGradJvp& k, const NormGrid<T>& grid, std::int64_t t, Context& context) {
  const NormGradTangent<kSide, T> norm(k, grid, t, context);
  T* const gy = k.gy ? k.gy.as<T>() + t * grid.task_elements() : nullptr;
  T* const tgy = k.tgy.as<T>() + t * grid.task_elements();
  for_each_group<Sweep::kBackward>(grid, context, [&](auto lanes, std::int64_t at, std::int64_t begin, std::int64_t end) {
    norm.write(lanes, at, begin, end, gy, tgy, 0);
  });
}

void run_here(const NormReluPoolGradJvp& k, Context& context) {
  with_float(k.y.dtype, "norm_relu_pool_grad_jvp", [&](auto tag) {
    using T = decltype(tag);
    const NormGrid<T> grid(k.y.shape, k.pool, "norm_relu_pool_grad_jvp");
    context.threads().parallel_for(grid.tasks, [&](std::int64_t t) {
      with_side(k.pool, [&](auto side) { grad_tangent<decltype(side)::value>(k, grid, t, context); });
    });
  });
}

IL_REGISTER_KERNEL(NormReluPoolGradJvp);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
