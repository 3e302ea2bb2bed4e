// The product of kernels/matmul.h, one thread an element: what stands in for a library in tests of what is built on
// one.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/matmul.h"

namespace innerloop::tests {

void plain_matmul(cudaStream_t stream, const kernels::Matmul& product);

}  // namespace innerloop::tests
