// Tasks as groups: one grouped convolution in place of one convolution a task, for libraries that know groups and no
// tasks.
//
//   image   [T, N,H,W, C] -> [N,H,W, T*C]     filter [T, R,S,C/g, K] -> [T*K, R,S,C/g]     output [T, N,P,Q, K] ->
//   [N,P,Q, T*K]
//
// Task t's channels are the groups t*g to t*g + g - 1. The copies cost a read and a write of each tensor, two or three
// launches in all, where a call a task costs T of each: worth it for many small tasks. Where T = 1 nothing is copied
// but filters.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <memory>

#include "kernels/cuda/conv_op.h"
#include "kernels/cuda/cudnn/conv_problem.h"
#include "tensor/function_ref.h"

namespace innerloop::kernels::cuda {

/// Whether every operand has as many tasks as every other, so that tasks can be groups. (What is shared by tasks, or
/// summed over them, is better served otherwise.)
bool has_task_groups(const ConvOp& op);

/// The grouped problem of either pair; `accumulate` is the second's. Throws where cuDNN cannot do the geometry.
cudnn::ConvProblem grouped_problem(const ConvOp& op, cudnn::Accumulate accumulate);

struct GroupedCalls {
  /// `bytes` of device memory for the time that it takes to put everything on the stream.
  FunctionRef<std::shared_ptr<void>(std::size_t bytes)> allocate;
  /// Puts the problem on the stream.
  FunctionRef<void(const cudnn::ConvProblem& problem, const void* image, const void* filter, const void* output)>
      convolve;
};
void conv_by_groups(const ConvOp& op, cudaStream_t stream, const GroupedCalls& calls);

}  // namespace innerloop::kernels::cuda
