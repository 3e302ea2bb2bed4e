// Both gradients of a convolution in one launch: the blocks of the input gradient first, then those of the weight gradient. Either
// alone leaves part of the device idle at W1's sizes (a task's last layers have a handful of tiles), and they wait for the same gy.
#include "kernels/conv_block.h"
#include "kernels/cuda/conv_engine.h"
#include "kernels/cuda/conv_input_grad.cuh"
#include "kernels/cuda/conv_spatial.h"
#include "kernels/cuda/conv_weight_grad.cuh"

namespace innerloop::kernels::cuda {
namespace {

struct GradsParams {
  InputGradParams<float> input;
  WeightGradParams<float> weight;
};

template <class TileInput, class TileWeight>
__global__ void __launch_bounds__(TileInput::kThreads, TileInput::kBlocksSm)
    conv_grads_kernel(const __grid_constant__ GradsParams p) {
  grid_dependency_sync();
  static_assert(TileInput::kThreads == TileWeight::kThreads);
  const auto first = static_cast<unsigned>(p.input.gemm.blocks);
  if (blockIdx.x < first) {
    input_grad_block<TileInput, 4, 4>(p.input, p.input.residues[0], blockIdx.x);
  } else {
    weight_grad_block<TileWeight, 4, 4>(p.weight, blockIdx.x - first);
  }
}

template <ConvMath kMath>
void launch_both(GradsParams& params, const InputGradPlan<float>& input, const WeightGradPlan<float>& weight,
                 Context& context) {
  using TileInput = MmaTile<kMath, kSmallM / 32, kSmallN / 32, Major::kAlongK, Major::kAlongK>;
  using TileWeight = MmaTile<kMath, kSmallM / 32, kSmallN / 32, Major::kAcrossK, Major::kAcrossK>;
  cut_tiles<TileInput>(ConvInputGrad::kName, params.input.gemm, input.rows, input.out_tasks);
  cut_tiles<TileWeight>(ConvWeightGrad::kName, params.weight.gemm, weight.rows, weight.out_tasks);
  // The one's tiles have other tickets than the other's.
  if (params.weight.gemm.tickets != nullptr)
    params.weight.gemm.tickets += params.input.gemm.blocks / params.input.gemm.piece_groups;
  const auto blocks = static_cast<unsigned>(params.input.gemm.blocks + params.weight.gemm.blocks);
  launch(conv_grads_kernel<TileInput, TileWeight>, dim3(blocks), dim3(TileInput::kThreads),
         std::max(kConvShared<TileInput>, kConvShared<TileWeight>), stream_of(context), params);
}

/// Whether the two may share a launch: tensor-core products made the same way, one residue, tickets enough, and not large tiles
/// for both. Where one has small tiles, both take them: the tile does not change a bit, and a block has one number of threads.
/// (Two large ones fill the device anyhow. They, and multiply-adds, need more registers together than either: nvcc spills them.)
bool fit_together(const InputGradPlan<float>& input, const WeightGradPlan<float>& weight) {
  const auto tickets = [](const ConvGemm<float>& gemm, std::int64_t rows, std::int64_t tasks) {
    return conv_ceil_div(rows, kSmallM) * conv_ceil_div(gemm.columns, kSmallN) * gemm.groups * tasks;
  };
  const bool large = input.choice.size == TileSize::kLarge && weight.choice.size == TileSize::kLarge;
  return !large && input.residues == 1 && input.choice.math != ConvMath::kFp32 && input.choice.math == weight.choice.math &&
         (weight.params.gemm.tickets == nullptr ||
          tickets(input.params.gemm, input.rows, input.out_tasks) +
                  tickets(weight.params.gemm, weight.rows, weight.out_tasks) <=
              CudaDevice::kTickets);
}

/// The launch, or false where two are needed, or better: tiles of an image (conv_spatial.h) are for maps that fill the device.
bool run_together(const ConvGrads& op, const WeightStep& step, ConvMath math, Context& context) {
  if (op.input.gx.dtype != DType::kF32 || op.input.gx.shape.numel() == 0 || op.weight.gw.shape.numel() == 0) return false;
  if (suits_spatial(op.input, math) || suits_spatial(op.weight, math)) return false;
  const int pairs_input = count_pairs(ConvInputGrad::kName, op.input.gy, op.input.w);
  const int pairs_weight = count_pairs(ConvWeightGrad::kName, op.weight.x, op.weight.gy);
  const InputGradPlan<float> input(op.input, sizes_of(op.input, pairs_input), pairs_input, math, context);
  const WeightGradPlan<float> weight(op.weight, step, sizes_of(op.weight, pairs_weight), pairs_weight, math, context);
  if (!fit_together(input, weight)) return false;
  GradsParams params{input.params, weight.params};
  if (input.choice.math == ConvMath::kTf32)
    launch_both<ConvMath::kTf32>(params, input, weight, context);
  else
    launch_both<ConvMath::kTf32x3>(params, input, weight, context);
  return true;
}

void run_here(const ConvGrads& op, Context& context) {
  if (conv_engine() == ConvEngine::kOwn && run_together(op, {}, conv_math(), context)) return;
  compose(op, context);
}

void run_here(const ConvGradsStep& op, Context& context) {
  const ConvMath math = conv_math();
  if (run_together(op.grads, op.step, math, context)) return;
  conv_own(op.grads.input, math, context);
  conv_own(op.grads.weight, op.step, math, context);
}

void run_here(const ConvWeightGradStep& op, Context& context) { conv_own(op.grad, op.step, conv_math(), context); }

IL_REGISTER_KERNEL(ConvGrads);
IL_REGISTER_KERNEL(ConvGradsStep);
IL_REGISTER_KERNEL(ConvWeightGradStep);

}  // namespace
}  // namespace innerloop::kernels::cuda
