// Norm-ReLU-pool, gradient.
#include "kernels/cuda/conv_made.h"
#include "kernels/cuda/norm_dispatch.h"
#include "kernels/cuda/norm_grad.cuh"
#include "kernels/cuda/norm_passes.cuh"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

void run_here(const NormGradStep& all, Context& context) {
  const NormReluPoolGrad& k = all.grad;
  with_norm(k.y.dtype, k.pool, k.kName, {k.y, k.gy, k.gp, k.choice, k.chosen}, [&]<class T>(T, auto width, auto side) {
    run_sums_and_walk(grad_pass<T, width(), side()>(k, all.step), context);
  });
}

void run_here(const NormGradSums& all, Context& context) {
  const NormReluPoolGrad& k = all.grad;
  check_constants(all.kName, all.constants, k.y, kGradLines);
  with_norm(k.y.dtype, k.pool, all.kName, {k.y, k.gp, k.choice, k.chosen}, [&]<class T>(T, auto width, auto side) {
    run_sums(grad_pass<T, width(), side()>(k, all.step), all.constants.as<T>(), context);
  });
}

void run_here(const NormReluPoolGrad& k, Context& context) { run_here(NormGradStep{k, {}}, context); }

IL_REGISTER_KERNEL(NormReluPoolGrad);
IL_REGISTER_KERNEL(NormGradStep);
IL_REGISTER_KERNEL(NormGradSums);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
