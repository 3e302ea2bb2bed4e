// Two stages of blocks in one launch: a block of the second waits for those blocks of the first that have its task, where two launches
// would have it wait for those of all tasks, and for a launch.
//
// A block takes its place as it starts, from a counter in device memory: places of the first stage come first, tasks in turn. So whoever
// waits, waits for blocks that have started before it and wait for nobody, and the launch ends however few blocks a device has room for
// and in whatever order it starts them. What depends on a block's place depends on that order no more than on blockIdx.
//
// A device's blocks of the second stage that wait keep their place on a multiprocessor; by then all blocks of the first have theirs.
//
// The counters are tickets (tickets.cuh): 0 before and after each launch. [0] places taken; then two for each task: blocks of the first
// stage that are done, and blocks of the second that have seen it.
#pragma once

#include <cstdint>

#include "kernels/cuda/device.cuh"

namespace innerloop::kernels::cuda {

struct Stages {
  unsigned* counters = nullptr;
  unsigned first_of_task = 0, second_of_task = 0;  ///< blocks of either
  unsigned announcements = 0;                      ///< of a task: by all blocks of the first stage, or by those that finish something
  unsigned first = 0, second = 0;                  ///< blocks of either, of all tasks

  static constexpr std::int64_t counters_for(std::int64_t tasks) { return 1 + 2 * tasks; }

  /// The block's place, into shared memory, where it costs no register over the block's work. Every thread of the block calls it, before
  /// anything else but the grid's dependency.
  __device__ __forceinline__ void take_place(unsigned* place) const {
    if (threadIdx.x == 0) {
      place[0] = atomicAdd(counters, 1u);
      if (place[0] + 1 == first + second) atomicExch(counters, 0u);  // the last: nobody takes another in this launch
    }
    __syncthreads();
  }

  /// What the whole block has written is there for those who wait for its task. Every thread of the block calls it.
  __device__ __forceinline__ void announce(unsigned task) const {
    __syncthreads();
    if (threadIdx.x != 0) return;
    __threadfence();
    atomicAdd(counters + 1 + 2 * task, 1u);
  }

  /// Waits for a task's announcements. Every thread of the block calls it.
  __device__ __forceinline__ void await(unsigned task) const {
    unsigned* const arrived = counters + 1 + 2 * task;
    if (threadIdx.x == 0) {
      while (load_relaxed(arrived) < announcements) __nanosleep(100);
      __threadfence();
      if (atomicAdd(arrived + 1, 1u) + 1 == second_of_task) {
        atomicExch(arrived, 0u);
        atomicExch(arrived + 1, 0u);
      }
    }
    __syncthreads();
  }
};

}  // namespace innerloop::kernels::cuda
