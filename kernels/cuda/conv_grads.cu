// Both gradients of a convolution in one launch: the blocks of the input gradient first, then those of the weight gradient. Either
// alone leaves part of the device idle at W1's sizes (a task's last layers have a handful of tiles), and they wait for the same gy.
#include "kernels/conv_block.h"
#include "kernels/cuda/conv_engine.h"
#include "kernels/cuda/conv_input_grad.cuh"
#include "kernels/cuda/conv_spatial.h"
#include "kernels/cuda/conv_weight_grad.cuh"
#include "kernels/cuda/norm_grad_stage.cuh"

namespace innerloop::kernels::cuda {
namespace {

struct GradsParams {
  InputGradParams<float> input;
  WeightGradParams<float> weight;
};

template <class TileInput, class TileWeight>
__device__ __forceinline__ void grads_block(const GradsParams& p, unsigned block) {
  static_assert(TileInput::kThreads == TileWeight::kThreads);
  const auto first = static_cast<unsigned>(p.input.gemm.blocks);
  if (block < first) {
    input_grad_block<TileInput, 4, 4>(p.input, p.input.residues[0], block);
  } else {
    weight_grad_block<TileWeight, 4, 4>(p.weight, block - first);
  }
}

template <class TileInput, class TileWeight>
__global__ void __launch_bounds__(TileInput::kThreads, TileInput::kBlocksSm)
    conv_grads_kernel(const __grid_constant__ GradsParams p) {
  grid_dependency_sync();
  grads_block<TileInput, TileWeight>(p, blockIdx.x);
}

struct StagedGradsParams {
  GradsParams convs;
  AheadOfGradients<64> ahead;
};

template <class TileInput, class TileWeight>
__global__ void __launch_bounds__(TileInput::kThreads, TileInput::kBlocksSm)
    norm_conv_grads_kernel(const __grid_constant__ StagedGradsParams p) {
  grid_dependency_sync();
  p.ahead.run<TileInput::kThreads>([&](const auto& block) { grads_block<TileInput, TileWeight>(p.convs, block()); });
}

template <ConvMath kMath>
void launch_both(GradsParams& params, const InputGradPlan<float>& input, const WeightGradPlan<float>& weight, const NormAhead& norm,
                 Context& context) {
  using TileInput = MmaTile<kMath, kSmallM / 32, kSmallN / 32, Major::kAlongK, Major::kAlongK>;
  using TileWeight = MmaTile<kMath, kSmallM / 32, kSmallN / 32, Major::kAcrossK, Major::kAcrossK>;
  cut_tiles<TileInput>(ConvInputGrad::kName, params.input.gemm, input.rows, input.out_tasks);
  cut_tiles<TileWeight>(ConvWeightGrad::kName, params.weight.gemm, weight.rows, weight.out_tasks);
  // The one's tiles have other tickets than the other's.
  if (params.weight.gemm.tickets != nullptr)
    params.weight.gemm.tickets += params.input.gemm.blocks / params.input.gemm.piece_groups;
  const auto blocks = static_cast<unsigned>(params.input.gemm.blocks + params.weight.gemm.blocks);
  const std::size_t shared = std::max(kConvShared<TileInput>, kConvShared<TileWeight>);
  if (!norm.wanted())
    return launch(conv_grads_kernel<TileInput, TileWeight>, dim3(blocks), dim3(TileInput::kThreads), shared, stream_of(context), params);
  StagedGradsParams staged{params, {norm, params.input.gemm.blocks, params.weight.gemm.blocks, context}};
  for (unsigned** tickets : {&staged.convs.input.gemm.tickets, &staged.convs.weight.gemm.tickets})
    if (*tickets != nullptr) *tickets += staged.ahead.counters();
  launch(norm_conv_grads_kernel<TileInput, TileWeight>, dim3(staged.ahead.norm.blocks()), dim3(TileInput::kThreads),
         std::max(shared, staged.ahead.norm.shared_bytes()), stream_of(context), staged);
}

/// Whether the two may share a launch: tensor-core products made the same way, one residue, tickets enough, and not large tiles
/// for both, unless their norm is ahead of them. Where one has small tiles, both take them: the tile does not change a bit, and a block has one number of threads.
/// (Two large ones fill the device anyhow. They, and multiply-adds, need more registers together than either: nvcc spills them.)
bool fit_together(const InputGradPlan<float>& input, const WeightGradPlan<float>& weight, bool staged) {
  const auto tickets = [](const ConvGemm<float>& gemm, std::int64_t rows, std::int64_t tasks) {
    return conv_ceil_div(rows, kSmallM) * conv_ceil_div(gemm.columns, kSmallN) * gemm.groups * tasks;
  };
  const bool large = !staged && input.choice.size == TileSize::kLarge && weight.choice.size == TileSize::kLarge;
  return !large && input.residues == 1 && input.choice.math != ConvMath::kFp32 && input.choice.math == weight.choice.math &&
         (weight.params.gemm.tickets == nullptr ||
          tickets(input.params.gemm, input.rows, input.out_tasks) +
                  tickets(weight.params.gemm, weight.rows, weight.out_tasks) <=
              CudaDevice::kTickets);
}

/// The launch, or false where two are needed, or better.
bool run_together(const ConvGrads& op, const WeightStep& step, const NormAhead& norm, ConvMath math, Context& context) {
  if (op.input.gx.dtype != DType::kF32 || op.input.gx.shape.numel() == 0 || op.weight.gw.shape.numel() == 0) return false;
  const bool tiles_input = suits_spatial(op.input, math), tiles_weight = suits_spatial(op.weight, math);
  if (tiles_input && tiles_weight && (norm.wanted() || suits_spatial_together(op.weight.gw.shape))) {
    conv_spatial(ConvGradsStep{op, step}, norm, math, context);
    return true;
  }
  if (tiles_input || tiles_weight) return false;
  const int pairs_input = count_pairs(ConvInputGrad::kName, op.input.gy, op.input.w);
  const int pairs_weight = count_pairs(ConvWeightGrad::kName, op.weight.x, op.weight.gy);
  const InputGradPlan<float> input(op.input, sizes_of(op.input, pairs_input), pairs_input, math, context);
  const WeightGradPlan<float> weight(op.weight, step, sizes_of(op.weight, pairs_weight), pairs_weight, math, context);
  if (!fit_together(input, weight, norm.wanted())) return false;
  GradsParams params{input.params, weight.params};
  if (input.choice.math == ConvMath::kTf32)
    launch_both<ConvMath::kTf32>(params, input, weight, norm, context);
  else
    launch_both<ConvMath::kTf32x3>(params, input, weight, norm, context);
  return true;
}

void run_here(const ConvGrads& op, Context& context) {
  if (conv_engine() == ConvEngine::kOwn && run_together(op, {}, {}, conv_math(), context)) return;
  compose(op, context);
}

void run_here(const ConvGradsStep& op, Context& context) {
  const ConvMath math = conv_math();
  if (run_together(op.grads, op.step, {}, math, context)) return;
  conv_own(op.grads.input, math, context);
  conv_own(op.grads.weight, op.step, math, context);
}

void run_here(const ConvWeightGradStep& op, Context& context) { conv_own(op.grad, op.step, conv_math(), context); }

/// The norm's operands are checked by suits_stages().
template <class K>
void run_staged(const K& k, const NormAhead& norm, Context& context) {
  IL_CHECK(suits_stages(k), "{}: these operands need two launches or more; use suits_stages()", K::kName);
  const ConvGrads& grads = k.convs.grads;
  IL_CHECK(run_together(grads, k.convs.step, norm, conv_math(), context), "{}: gx {} and gw {} do not share a launch", K::kName,
           grads.input.gx.shape.to_string(), grads.weight.gw.shape.to_string());
}

void run_here(const NormConvGrads& k, Context& context) { run_staged(k, {&k.norm, nullptr}, context); }
void run_here(const NormConvGradsJvp& k, Context& context) { run_staged(k, {nullptr, &k.norm}, context); }

IL_REGISTER_KERNEL(NormConvGrads);
IL_REGISTER_KERNEL(NormConvGradsJvp);
IL_REGISTER_KERNEL(ConvGrads);
IL_REGISTER_KERNEL(ConvGradsStep);
IL_REGISTER_KERNEL(ConvWeightGradStep);

/// Ahead of tiles of an image that both gradients take, or of small tiles of a tensor core.
bool suits_ahead(const ConvGradsStep& k) {
  const ConvInputGrad& input = k.grads.input;
  const ConvWeightGrad& weight = k.grads.weight;
  const ConvMath math = conv_math();
  const std::int64_t tasks = input.gy[0].shape[0];
  if (!input.gx || input.gx.shape[0] != tasks || weight.gw.shape[0] != tasks) return false;
  const Shape &w = input.w[0].shape, &x = input.gx.shape, &y = input.gy[0].shape;
  const bool tiles_input = suits_spatial(input, math), tiles_weight = suits_spatial(weight, math);
  if (tiles_input || tiles_weight) {
    const std::int64_t joins = conv_ceil_div(w[4], 32) * conv_ceil_div(w[3], kTileK);
    return tiles_input && tiles_weight && Stages::counters_for(tasks) + tasks * joins <= CudaDevice::kTickets;
  }
  bool vectors = w[3] % 4 == 0 && w[4] % 4 == 0 && aligned(input.gx) && aligned(weight.gw) && aligned(k.step.from);
  for (int n = 0; n < 2; ++n)
    vectors = vectors && aligned(input.w[n]) && aligned(input.gy[n]) && aligned(weight.x[n]) && aligned(weight.gy[n]);
  const std::int64_t rows = x[1] * x[2] * x[3], pixels = y[1] * y[2] * y[3], taps = w[1] * w[2];
  const auto tiles = [](std::int64_t m, std::int64_t n) { return conv_ceil_div(m, kSmallM) * conv_ceil_div(n, kSmallN); };
  return vectors && input.geometry.stride_h == 1 && input.geometry.stride_w == 1 && suits_tensor_cores(w[3], taps * w[4]) &&
         suits_tensor_cores(w[4], pixels) &&
         Stages::counters_for(tasks) + tasks * (tiles(rows, w[3]) + tiles(taps * w[3], w[4])) <= CudaDevice::kTickets;
}

}  // namespace

bool suits_stages(const NormConvGrads& k) {
  const NormReluPoolGrad& n = k.norm.grad;
  return stages_wanted(k.convs.grads.input.geometry, k.convs.grads.input.w[0], n.y.shape, n.pool, {n.y, n.gy, n.gp, n.choice, n.chosen}) &&
         suits_ahead(k.convs);
}

bool suits_stages(const NormConvGradsJvp& k) {
  const NormReluPoolGradJvp& n = k.norm.grad;
  return stages_wanted(k.convs.grads.input.geometry, k.convs.grads.input.w[0], n.y.shape, n.pool,
                       {n.y, n.ty, n.gp, n.tgp, n.choice, n.gy, n.tgy, n.chosen, n.tchosen}) &&
         suits_ahead(k.convs);
}

}  // namespace innerloop::kernels::cuda
