// The error that cudaGetLastError returns.
#pragma once

#include <cuda_runtime_api.h>

namespace innerloop::host_executor {

/// Keeps `status` as this thread's last error and returns it.
cudaError_t note(cudaError_t status);

}  // namespace innerloop::host_executor
