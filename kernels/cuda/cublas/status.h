// IL_CUBLAS_CHECK(call) throws innerloop::Error with the call and cuBLAS's own text.
#pragma once

#include <cublas_v2.h>

#include "tensor/error.h"

namespace innerloop::kernels::cublas {

inline void check_cublas(cublasStatus_t status, const char* call) {
  if (status != CUBLAS_STATUS_SUCCESS) {
    fail("cublas: {}: {} ({})", call, cublasGetStatusString(status), cublasGetStatusName(status));
  }
}

}  // namespace innerloop::kernels::cublas

#define IL_CUBLAS_CHECK(call) ::innerloop::kernels::cublas::check_cublas((call), #call)
