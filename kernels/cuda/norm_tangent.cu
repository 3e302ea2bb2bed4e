// Norm-ReLU-pool, tangent of the forward pass.
#include "kernels/cuda/norm_dispatch.h"
#include "kernels/cuda/norm_passes.cuh"
#include "kernels/cuda/norm_tangent.cuh"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

void run_here(const NormReluPoolJvp& k, Context& context) {
  with_norm(k.y.dtype, k.pool, k.kName, {k.y, k.ty, k.tp, k.choice, k.chosen, k.tchosen}, [&]<class T>(T, auto width, auto side) {
    run_sums_and_walk(tangent_pass<T, width(), side()>(k), context);
  });
}

void run_here(const NormJvpMoments& k, Context& context) {
  check_moments(k.kName, k.moments, k.unit, k.norm.ty, kTangentMoments);
  if (k.picked) {
    using Pass = PickedTangentPass<float, kPickWidth>;
    check_picked(k.kName, k.norm.pool, {k.norm.tp, k.norm.choice, k.picked, k.tpicked, k.moments});
    const auto pass = tangent_pass<float, kPickWidth, 2>(k.norm);
    return run_sums_and_walk(Pass{{pass, {k.moments, k.unit, pass.grid}}, k.picked.as<float>(), k.tpicked.as<float>(), pass.choice, pass.tp}, context);
  }
  with_norm(k.norm.y.dtype, k.norm.pool, k.kName, {k.norm.y, k.norm.ty, k.norm.tp, k.norm.choice, k.norm.chosen, k.norm.tchosen, k.moments},
            [&]<class T>(T, auto width, auto side) {
              const auto pass = tangent_pass<T, width(), side()>(k.norm);
              run_sums_and_walk(MomentsTangentPass<T, width(), side()>{pass, {k.moments, k.unit, pass.grid}}, context);
            });
}

IL_REGISTER_KERNEL(NormReluPoolJvp);
IL_REGISTER_KERNEL(NormJvpMoments);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
