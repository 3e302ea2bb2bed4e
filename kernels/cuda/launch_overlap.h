// Programmatic dependent launch: the blocks of a kernel are brought to the multiprocessors while the kernel before it in the stream
// finishes there, and wait (grid_dependency_sync, device.cuh) until what that one wrote is visible. A chain of short kernels then does not
// pay for each start. Devices of sm_90 on; recorded in a CUDA graph, such launches are programmatic edges.
//
// Kernels that a program launches with it must begin with grid_dependency_sync, every one and every thread: a kernel that leaves without
// would let the one behind it start before the one before it has ended. The host executor reports one that does.
#pragma once

#include <cuda_runtime_api.h>

#include <atomic>

namespace innerloop::kernels::cuda {

/// Off until a CudaDevice finds its device capable (cuda_device.h).
inline std::atomic<bool> launches_overlap{false};

/// Whether a few such launches, recorded in a graph behind a node that is no kernel, run and give what they should: some drivers refuse them on
/// some devices. Waits for the stream, which must not be recorded.
bool overlap_works(cudaStream_t stream);

}  // namespace innerloop::kernels::cuda
