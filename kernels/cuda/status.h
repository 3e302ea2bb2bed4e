// Checks of CUDA calls: IL_CUDA_CHECK(call) throws innerloop::Error with the call and the runtime's own text.
//
// cuDNN and cuBLAS have their counterparts beside their wrappers (cudnn/status.h, cublas/status.h), so that a file
// which launches kernels needs the CUDA headers alone.
#pragma once

#include <cuda_runtime_api.h>

#include "tensor/error.h"

namespace innerloop::kernels::cuda {

inline void check_cuda(cudaError_t status, const char* call) {
  if (status == cudaSuccess) return;
  // Takes the error off the thread's record, so that it is not reported a second time for an innocent later call.
  static_cast<void>(cudaGetLastError());
  fail("cuda: {}: {} ({})", call, cudaGetErrorString(status), cudaGetErrorName(status));
}

}  // namespace innerloop::kernels::cuda

#define IL_CUDA_CHECK(call) ::innerloop::kernels::cuda::check_cuda((call), #call)
