// How long work on a stream takes.
#pragma once

#include <cuda_runtime_api.h>

#include "tensor/function_ref.h"

namespace innerloop::kernels::cuda {

/// Calls `put` once, which may load kernels and make plans, and then five times a few of it between events, behind one that is not
/// timed: the median, in milliseconds, of what one puts on `stream`. Waits for the stream; not while it is captured.
double median_milliseconds(cudaStream_t stream, FunctionRef<void()> put);

}  // namespace innerloop::kernels::cuda
