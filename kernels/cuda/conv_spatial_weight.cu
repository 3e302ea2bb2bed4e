// The kernel of a weight gradient by tiles of an image, in a launch of its own.
#include "kernels/cuda/conv_spatial_weight.cuh"

namespace innerloop::kernels::cuda {
namespace {

/// From the last block to the first: the input's gradient ahead of this one has left what it read last in the second-level cache.
template <ConvMath kMath, int kWarpsN, bool kMade>
__global__ void __launch_bounds__(96 * kWarpsN, kWarpsN == 1 ? 3 : 2)
    conv_spatial_weight_kernel(const __grid_constant__ SpatialWeightParams p) {
  grid_dependency_sync();
  spatial_weight_block<kMath, kWarpsN, kMade, 96 * kWarpsN>(p, gridDim.x - 1 - blockIdx.x);
}

template <bool kMade, ConvMath kMath, int kWarpsN>
void launch_weight(const SpatialWeightPlan& plan, Context& context) {
  launch(conv_spatial_weight_kernel<kMath, kWarpsN, kMade>, dim3(static_cast<unsigned>(plan.blocks())), dim3(96 * kWarpsN),
         2 * kWeightStage<kWarpsN> * sizeof(float), stream_of(context), plan.params);
}

template <bool kMade>
void run_weight(const ConvWeightGrad& op, const WeightStep& step, const MadeOperand& made, ConvMath math, Context& context) {
  const bool wide = op.gw.shape[4] > 32;
  const SpatialWeightPlan plan(op, step, made, wide ? 2 : 1, context);
  if (math == ConvMath::kTf32) {
    if (wide) return launch_weight<kMade, ConvMath::kTf32, 2>(plan, context);
    return launch_weight<kMade, ConvMath::kTf32, 1>(plan, context);
  }
  if (wide) return launch_weight<kMade, ConvMath::kTf32x3, 2>(plan, context);
  launch_weight<kMade, ConvMath::kTf32x3, 1>(plan, context);
}

/// Blocks along output channels, and along input channels.
std::int64_t places(const Shape& w) { return spatial_tiles<std::int64_t>(w[4], 32) * spatial_tiles<std::int64_t>(w[3], kTileK); }

}  // namespace

bool suits_spatial(const ConvWeightGrad& op, ConvMath math) {
  // A gradient that adds tasks up is left to the implicit GEMM.
  const std::int64_t tasks = std::max({op.x[0].shape[0], op.gy[0].shape[0], op.x[1] ? op.x[1].shape[0] : 1, op.gy[1] ? op.gy[1].shape[0] : 1});
  return suits_spatial_tiles(op.geometry, op.gw, op.gy[0].shape, math) && op.gw.shape[0] == tasks && aligned(op.x[0]) &&
         aligned(op.x[1]) && aligned(op.gy[0]) && aligned(op.gy[1]) && aligned(op.gw) && tasks * places(op.gw.shape) <= CudaDevice::kTickets;
}

void conv_spatial(const ConvWeightGrad& op, const WeightStep& step, ConvMath math, Context& context) {
  run_weight<false>(op, step, {}, math, context);
}

void conv_spatial(const ConvWeightGrad& op, const WeightStep& step, const MadeGradient& gy, ConvMath math, Context& context) {
  run_weight<true>(op, step, MadeOperand(gy), math, context);
}

}  // namespace innerloop::kernels::cuda
