// A convolution in cuDNN's layouts by its definition, one thread an element: what stands in for cuDNN in tests.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/cuda/cudnn/conv_problem.h"

namespace innerloop::tests {

/// image [N,H,W,C], filter [K,R,S,C/groups], output [N,P,Q,K]; the direction says which is written.
void plain_grouped_conv(cudaStream_t stream, const kernels::cudnn::ConvProblem& problem, void* image, void* filter,
                        void* output);

}  // namespace innerloop::tests
