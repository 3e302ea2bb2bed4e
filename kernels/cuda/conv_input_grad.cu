#include "kernels/cuda/conv_input_grad.cuh"

#include "kernels/cuda/conv_spatial.h"
#include "kernels/cuda/dispatch.h"

namespace innerloop::kernels::cuda {
namespace {

template <class Tile, int kVectorA, int kVectorB>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kBlocksSm)
    conv_input_grad_kernel(const __grid_constant__ InputGradParams<typename Tile::Element> p) {
  grid_dependency_sync();
  input_grad_block<Tile, kVectorA, kVectorB>(p, p.residues[blockIdx.y], blockIdx.x);
}

}  // namespace

void conv_own(const ConvInputGrad& op, ConvMath math, Context& context) {
  if (op.gx.shape.numel() == 0) return;
  const int pairs = count_pairs(ConvInputGrad::kName, op.gy, op.w);
  const ConvSizes z = sizes_of(op, pairs);
  if (suits_spatial(op, math)) return conv_spatial(op, math, context);
  with_float(op.gx.dtype, ConvInputGrad::kName, [&]<class T>(T) {
    InputGradPlan<T> plan(op, z, pairs, math, context);
    for (std::int64_t at = 0; at < plan.residues; at += kResiduesTogether) {
      const unsigned here = plan.take_residues(op.geometry, z, at);
      with_tile<T, Major::kAlongK, Major::kAlongK>(plan.choice, [&]<class Tile, int kVectorA, int kVectorB>() {
        launch_conv<Tile>(ConvInputGrad::kName, conv_input_grad_kernel<Tile, kVectorA, kVectorB>, plan.params, plan.rows,
                          plan.out_tasks, here, context);
      });
    }
  });
}

}  // namespace innerloop::kernels::cuda
