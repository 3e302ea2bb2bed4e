// The cuBLAS handles that convolution engines share: one for each precision, on the stream of the process's CUDA
// device.
#pragma once

#include "kernels/cuda/cublas/handle.h"
#include "kernels/cuda/numerics.h"

namespace innerloop::kernels::cuda {

/// Made at first use, which allocates, and kept to the end of the process. Throws for a second stream.
cublas::Handle& cublas_of(cudaStream_t stream, Precision precision);

}  // namespace innerloop::kernels::cuda
