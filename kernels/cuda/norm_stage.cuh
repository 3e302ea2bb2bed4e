// The norm of a convolution as a stage of its launch (stages.cuh): behind a forward convolution, whose task it waits for, or ahead of both
// gradients, which wait for the gy of their task. Either way a block has a task and a few of its channels.
#pragma once

#include <algorithm>

#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/norm_block.cuh"
#include "kernels/cuda/stages.cuh"

namespace innerloop::kernels::cuda {

/// Channels of a block, and of one where a task has so many windows that its threads would walk over more than a few each.
inline constexpr unsigned kStageChannels = 16, kStageChannelsLong = 8, kStageWindows = 32;

/// `First` is the norm's pass, `Second` that of its tangent; one of the two is wanted. kSumThreads make the sums, of however many a block
/// has: their order then follows from the shape alone.
template <class First, class Second, unsigned kSumThreads>
struct NormStage {
  Stages stages;
  unsigned lanes = 1, tiles = 1;  ///< vectors of channels of a block, and blocks of a task
  bool second = false;
  First of_first;
  Second of_second;

  /// Behind `blocks` blocks of other work, which announce each task `announcements` times.
  void stand_behind(const NormGrid& grid, unsigned blocks, unsigned announcements, unsigned* counters) {
    cut(grid);
    stages = {counters, blocks / grid.tasks, tiles, announcements, blocks, tiles * grid.tasks};
  }
  /// Ahead of `blocks` blocks that read what it writes.
  void stand_ahead(const NormGrid& grid, unsigned blocks, unsigned* counters) {
    cut(grid);
    stages = {counters, tiles, blocks / grid.tasks, tiles, tiles * grid.tasks, blocks};
  }
  unsigned blocks() const { return stages.first + stages.second; }
  std::size_t shared_bytes() const {
    return std::max(SumMemory<First>::bytes(kSumThreads, lanes), SumMemory<Second>::bytes(kSumThreads, lanes));
  }

  /// The norm of `task` in the stage's block `tile` of it.
  template <unsigned kThreads>
  __device__ __forceinline__ void run(unsigned task, unsigned tile, double* shared) const {
    if (second) {
      run_pass<kThreads>(of_second.of_task(task), tile, shared);
    } else {
      run_pass<kThreads>(of_first.of_task(task), tile, shared);
    }
  }

 private:
  void cut(const NormGrid& grid) {
    static_assert(First::kWidth == Second::kWidth);
    constexpr unsigned kWidth = First::kWidth;
    lanes = (grid.windows > kStageWindows ? kStageChannelsLong : kStageChannels) / kWidth;
    tiles = (grid.channels + lanes * kWidth - 1) / (lanes * kWidth);
  }
  template <unsigned kThreads, class Pass>
  __device__ __forceinline__ void run_pass(const Pass& pass, unsigned tile, double* shared) const {
    static_assert(kThreads >= kSumThreads);
    sum_and_walk(pass, FirstThreads<kSumThreads>{lanes}, FirstThreads<kThreads>{lanes}, tile * lanes * Pass::kWidth,
                 kSumThreads / lanes / 2, shared);
  }
};

/// The stage behind: a block of the launch that is none of the convolution's.
template <unsigned kThreads, class Stage>
__device__ __forceinline__ void run_behind(const Stage& norm, unsigned place, double* shared) {
  const unsigned block = place - norm.stages.first, task = block / norm.tiles;
  norm.stages.await(task);
  norm.template run<kThreads>(task, block - task * norm.tiles, shared);
}

/// The stage ahead.
template <unsigned kThreads, class Stage>
__device__ __forceinline__ void run_ahead(const Stage& norm, unsigned place, double* shared) {
  const unsigned task = place / norm.tiles;
  norm.template run<kThreads>(task, place - task * norm.tiles, shared);
  norm.stages.announce(task);
}

}  // namespace innerloop::kernels::cuda
