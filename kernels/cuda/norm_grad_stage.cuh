// The stage of a norm's gradient ahead of both gradients of its convolution (norm_stage.cuh).
#pragma once

#include "kernels/cuda/conv_stages.h"
#include "kernels/cuda/norm_dispatch.h"
#include "kernels/cuda/norm_grad.cuh"
#include "kernels/cuda/norm_grad_tangent.cuh"
#include "kernels/cuda/norm_stage.cuh"

namespace innerloop::kernels::cuda {

template <unsigned kSumThreads>
using GradStage = NormStage<GradPass<float, kPickWidth, 2>, GradTangentPass<float, kPickWidth, 2>, kSumThreads>;

/// Its passes, and their grid.
template <class Stage>
Stage grad_stage(const NormAhead& norm, NormGrid& grid) {
  Stage stage;
  if (norm.grad != nullptr) {
    stage.of_first = grad_pass<float, kPickWidth, 2>(norm.grad->grad, norm.grad->step);
    grid = stage.of_first.grid;
  } else {
    stage.of_second = grad_tangent_pass<float, kPickWidth, 2>(norm.grad_jvp->grad, norm.grad_jvp->step);
    grid = stage.of_second.grid, stage.second = true;
  }
  return stage;
}

/// The stage in a launch whose other blocks are those of the input gradient, then those of the weight gradient.
template <unsigned kSumThreads>
struct AheadOfGradients {
  GradStage<kSumThreads> norm;
  unsigned inputs, input_task, weight_task;  ///< blocks of the input gradient; of a task, and of the weight gradient

  AheadOfGradients(const NormAhead& ahead, std::int64_t input_blocks, std::int64_t weight_blocks, Context& context)
      : inputs(static_cast<unsigned>(input_blocks)) {
    NormGrid grid;
    norm = grad_stage<GradStage<kSumThreads>>(ahead, grid);
    const auto weights = static_cast<unsigned>(weight_blocks);
    input_task = inputs / grid.tasks, weight_task = weights / grid.tasks;
    norm.stand_ahead(grid, inputs + weights, tickets_of(context));
  }
  /// The tickets of the gradients' joins lie behind the stage's counters.
  std::int64_t counters() const { return Stages::counters_for(norm.stages.first / norm.tiles); }

  /// A block of the launch: of the norm, or, once the gy of its task is there, gradients(which of their blocks).
  template <unsigned kThreads, class Gradients>
  __device__ __forceinline__ void run(const Gradients& gradients) const {
    const Stages& stages = norm.stages;
    IL_SHARED(unsigned, place, [1]);
    stages.take_place(place);
    if (place[0] < stages.first) {
      IL_DYNAMIC_SHARED(double, shared);
      run_ahead<kThreads>(norm, place[0], shared);
    } else {
      const unsigned block = place[0] - stages.first;
      stages.await(block < inputs ? block / input_task : (block - inputs) / weight_task);
      gradients([&] { return place[0] - norm.stages.first; });
    }
  }
};

}  // namespace innerloop::kernels::cuda
