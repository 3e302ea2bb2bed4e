// IL_CUDNN_CHECK(call) throws innerloop::Error with the call, cuDNN's status and its last message.
#pragma once

#include <cudnn_graph.h>

#include <string>

#include "tensor/error.h"

namespace innerloop::kernels::cudnn {

/// "CUDNN_STATUS_BAD_PARAM: message", on one line; the message is the calling thread's latest.
std::string describe(cudnnStatus_t status);

inline void check_cudnn(cudnnStatus_t status, const char* call) {
  if (status != CUDNN_STATUS_SUCCESS) fail("cudnn: {}: {}", call, describe(status));
}

}  // namespace innerloop::kernels::cudnn

#define IL_CUDNN_CHECK(call) ::innerloop::kernels::cudnn::check_cudnn((call), #call)
