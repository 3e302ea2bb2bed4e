// Trace ranges (tensor/trace.h) as NVTX ranges, which Nsight Systems and Nsight Compute show.
#pragma once

namespace innerloop::kernels::cuda {

/// Sets the hooks where the environment has IL_NVTX=on. Unset, empty and off leave tracing as it is; anything else is a
/// UsageError, as is on in a program that was built without NVTX's headers. NVTX looks for a profiler at the first
/// range and does nothing where there is none.
void trace_if_asked();

}  // namespace innerloop::kernels::cuda
