// Norm-ReLU-pool, gradient (norm_grad.h).
#include "kernels/cpu/norm_grad.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

template <int kSide, class T>
void grad(const NormReluPoolGrad& k, const NormGrid<T>& grid, std::int64_t t, Context& context) {
  const NormGrad<kSide, T> norm(k, grid, t, context);
  T* const gy = k.gy.as<T>() + t * grid.task_elements();
  for_each_group<Sweep::kBackward>(grid, context, [&](auto lanes, std::int64_t at, std::int64_t begin, std::int64_t end) {
    norm.write(lanes, at, begin, end, gy, 0);
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
