// Both gradients by tiles of an image (conv_spatial.h) in one launch: the blocks of the input gradient first, then those of the weight
// gradient, which begin while the last of the others still run. Where the map is small the norm that makes gy is ahead of both, as a
// stage (conv_stages.h). Blocks are those for 32 channels: twice as many columns want more registers than both kinds have together.
#include "kernels/cuda/conv_spatial_tile.cuh"
#include "kernels/cuda/conv_spatial_weight.cuh"
#include "kernels/cuda/norm_grad_stage.cuh"

namespace innerloop::kernels::cuda {
namespace {

constexpr int kBlockThreads = 128;

struct SpatialGradsParams {
  SpatialParams input;
  SpatialWeightParams weight;
  unsigned input_blocks;
};

template <ConvMath kMath, class Block>
__device__ __forceinline__ void spatial_grads_block(const SpatialGradsParams& p, const Block& block) {
  if (block() < p.input_blocks) {
    spatial_block<kMath, 1, Direction::kInputGrad>(p.input, block);
  } else {
    spatial_weight_block<kMath, 1, false, kBlockThreads>(p.weight, block() - p.input_blocks);
  }
}

template <ConvMath kMath>
__global__ void __launch_bounds__(kBlockThreads, kSpatialBlocks<1>)
    conv_spatial_grads_kernel(const __grid_constant__ SpatialGradsParams p) {
  grid_dependency_sync();
  spatial_grads_block<kMath>(p, [] { return blockIdx.x; });
}

struct StagedSpatialGradsParams {
  SpatialGradsParams convs;
  AheadOfGradients<kBlockThreads> ahead;
};

template <ConvMath kMath>
__global__ void __launch_bounds__(kBlockThreads, kSpatialBlocks<1>)
    norm_conv_spatial_grads_kernel(const __grid_constant__ StagedSpatialGradsParams p) {
  grid_dependency_sync();
  p.ahead.run<kBlockThreads>([&](const auto& block) { spatial_grads_block<kMath>(p.convs, block); });
}

template <ConvMath kMath>
void launch_grads(SpatialGradsParams& params, std::int64_t weight_blocks, const NormAhead& norm, Context& context) {
  using Tile = SpatialTile<kMath, 1, Direction::kInputGrad>;
  const auto blocks = params.input_blocks + static_cast<unsigned>(weight_blocks);
  const std::size_t shared = std::max(spatial_shared<Tile>(params.input), 2 * kWeightStage<1> * sizeof(float));
  if (!norm.wanted())
    return launch(conv_spatial_grads_kernel<kMath>, dim3(blocks), dim3(kBlockThreads), shared, stream_of(context), params);
  StagedSpatialGradsParams staged{params, {norm, params.input_blocks, weight_blocks, context}};
  staged.convs.weight.tickets += staged.ahead.counters();
  launch(norm_conv_spatial_grads_kernel<kMath>, dim3(staged.ahead.norm.blocks()), dim3(kBlockThreads),
         std::max(shared, staged.ahead.norm.shared_bytes()), stream_of(context), staged);
}

}  // namespace

void conv_spatial(const ConvGradsStep& op, const NormAhead& norm, ConvMath math, Context& context) {
  const ConvInputGrad& input = op.grads.input;
  const SpatialWeightPlan weight(op.grads.weight, op.step, {}, 1, context);
  SpatialGradsParams params{spatial_params(input, count_pairs(ConvInputGrad::kName, input.gy, input.w)), weight.params, 0};
  params.input.tiles_n = spatial_tiles(params.input.columns, 32);
  params.input_blocks = static_cast<unsigned>(count_blocks(params.input, input.gx.shape[0], ConvInputGrad::kName));
  if (math == ConvMath::kTf32) return launch_grads<ConvMath::kTf32>(params, weight.blocks(), norm, context);
  launch_grads<ConvMath::kTf32x3>(params, weight.blocks(), norm, context);
}

}  // namespace innerloop::kernels::cuda
