// How a convolution with a task axis becomes executions of cuDNN plans. Plain arithmetic, no CUDA headers: it is tested
// on a CPU.
//
// The task axis T is outermost in all our tensors, and cuDNN has no such axis. What could carry it, and what does:
//   groups       One call with groups = T needs channels of all tasks side by side, [N,H,W,T*C]. Ours lie N*H*W*C apart
//                while the channels of one task lie 1 apart, and a tensor has one channel stride: it cannot be said
//                with strides. It costs a copy of both images to and fro. (At C = 1 alone the image can be said so, but
//                then the output cannot.)
//   depth        A 3-D convolution with depth T and 1xRxS filters uses one filter for all tasks, and is then no more
//                than the next line.
//   images       Where all tasks share the filter, [T,N,H,W,C] is [T*N,H,W,C]: one execution, no copy. The same for a
//                filter gradient that is summed over tasks. Used.
//   executions   One plan, executed T times at addresses one task apart. Always right, no copy, same plan for all.
//   Used.
//
// Filters are handed over as [K,R,S,C/groups] (conv_problem.h), so each is transposed into scratch memory first, and a
// filter gradient out of it afterwards. Filters are small beside images: 147 KB for 3x3x64x64.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/cuda/cudnn/conv_problem.h"

namespace innerloop::kernels::cudnn {

/// Where an operand of execution i begins: element begin + i * step.
struct OperandWalk {
  std::int64_t begin = 0, step = 0;
};

/// `count` executions of the plan of `problem` on the operands of pair `pair`, in order.
struct ConvRun {
  ConvProblem problem;
  int pair = 0;
  std::int64_t count = 1;
  OperandWalk image{}, filter{}, output{};  ///< `filter` counts in the scratch memory, the others in the tensors
};

struct ConvSchedule {
  /// In order. None, though the output has elements, means that the sums are empty and the output is all zeros.
  std::vector<ConvRun> runs;
  std::int64_t filter_rows = 0, filter_columns = 0;  ///< ours is [rows, columns], cuDNN's [columns, rows]
  /// Filters of each pair in scratch memory, pair 0's first. For a filter gradient [0] counts the outputs, [1] is 0.
  std::int64_t filters[2] = {0, 0};

  std::int64_t scratch_elements() const { return (filters[0] + filters[1]) * filter_rows * filter_columns; }
};

/// Throws, naming the shapes, when they do not fit or cuDNN cannot do the geometry.
ConvSchedule conv_schedule(const ConvForward& kernel);
ConvSchedule conv_schedule(const ConvInputGrad& kernel);
ConvSchedule conv_schedule(const ConvWeightGrad& kernel);

}  // namespace innerloop::kernels::cudnn
