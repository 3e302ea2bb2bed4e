// The host's way into the executor: one lock around all of it, and the launch that launch.cuh calls.
#pragma once

#include <cuda_runtime_api.h>

#include <mutex>

#include "kernels/cuda/host/execution.h"

namespace innerloop::host_executor {

/// Held by every runtime call and by every launch while it runs.
std::recursive_mutex& runtime_mutex();

/// Checks the launch and puts it on `stream`. Throws KernelError for a launch that no device would accept, for an earlier
/// fault that had nowhere to go, and, with StreamOrder::kImmediate, for the kernel's own.
void enqueue_launch(LaunchRequest request, cudaStream_t stream);

/// What has run so far.
Statistics statistics();

}  // namespace innerloop::host_executor
