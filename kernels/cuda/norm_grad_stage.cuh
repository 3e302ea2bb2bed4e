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

}  // namespace innerloop::kernels::cuda
