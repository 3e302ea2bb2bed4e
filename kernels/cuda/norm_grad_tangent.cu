// Norm-ReLU-pool, tangent of the gradient.
#include "kernels/cuda/conv_made.h"
#include "kernels/cuda/norm_dispatch.h"
#include "kernels/cuda/norm_grad_tangent.cuh"
#include "kernels/cuda/norm_passes.cuh"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

void run_here(const NormGradJvpStep& all, Context& context) {
  const NormReluPoolGradJvp& k = all.grad;
  with_norm(k.y.dtype, k.pool, k.kName, {k.y, k.ty, k.gp, k.tgp, k.choice, k.gy, k.tgy, k.chosen, k.tchosen},
            [&]<class T>(T, auto width, auto side) {
              run_sums_and_walk(grad_tangent_pass<T, width(), side()>(k, all.step), context);
            });
}

void run_here(const NormReluPoolGradJvp& k, Context& context) { run_here(NormGradJvpStep{k, {}}, context); }

void run_here(const NormGradJvpSums& all, Context& context) {
  const NormReluPoolGradJvp& k = all.grad;
  check_constants(all.kName, all.constants, k.y, kTangentGradLines);
  with_norm(k.y.dtype, k.pool, all.kName, {k.y, k.ty, k.gp, k.tgp, k.choice, k.chosen, k.tchosen},
            [&]<class T>(T, auto width, auto side) {
              run_sums(grad_tangent_pass<T, width(), side()>(k, all.step), all.constants.as<T>(), context);
            });
}

IL_REGISTER_KERNEL(NormReluPoolGradJvp);
IL_REGISTER_KERNEL(NormGradJvpStep);
IL_REGISTER_KERNEL(NormGradJvpSums);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
