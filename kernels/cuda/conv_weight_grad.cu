#include "kernels/cuda/conv_weight_grad.cuh"

#include "kernels/cuda/conv_spatial.h"
#include "kernels/cuda/dispatch.h"

namespace innerloop::kernels::cuda {
namespace {

template <class Tile, int kVectorA, int kVectorB>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kBlocksSm)
    conv_weight_grad_kernel(const __grid_constant__ WeightGradParams<typename Tile::Element> p) {
  grid_dependency_sync();
  weight_grad_block<Tile, kVectorA, kVectorB>(p, blockIdx.x);
}

}  // namespace

void conv_own(const ConvWeightGrad& op, ConvMath math, Context& context) { conv_own(op, {}, math, context); }

void conv_own(const ConvWeightGrad& op, const WeightStep& step, ConvMath math, Context& context) {
  if (op.gw.shape.numel() == 0) return;
  const int pairs = count_pairs(ConvWeightGrad::kName, op.x, op.gy);
  const ConvSizes z = sizes_of(op, pairs);
  if (suits_spatial(op, math)) return conv_spatial(op, step, math, context);
  with_float(op.gw.dtype, ConvWeightGrad::kName, [&]<class T>(T) {
    WeightGradPlan<T> plan(op, step, z, pairs, math, context);
    with_tile<T, Major::kAcrossK, Major::kAcrossK>(plan.choice, [&]<class Tile, int kVectorA, int kVectorB>() {
      launch_conv<Tile>(ConvWeightGrad::kName, conv_weight_grad_kernel<Tile, kVectorA, kVectorB>, plan.params, plan.rows,
                        plan.out_tasks, 1, context);
    });
  });
}

}  // namespace innerloop::kernels::cuda
