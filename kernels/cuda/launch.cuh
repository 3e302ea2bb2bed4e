// The only place where a kernel is launched.
//
//   launch(kernel, grid, block, dynamic_shared_bytes, stream, arguments...)
//
// Arguments are converted to the kernel's parameter types and copied. Throws Error, with the kernel's name, for a launch that
// the device refuses. On the host executor the launch is queued on the stream and runs at the next synchronisation; a fault of
// the kernel is thrown from there (or from here, as StreamOrder says).
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <utility>

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/dynamic_shared.h"
#include "kernels/cuda/launch_overlap.h"
#include "tensor/error.h"

#if defined(__CUDACC__)

#include <cxxabi.h>

#include <cstdlib>
#include <mutex>
#include <string>
#include <unordered_map>

namespace innerloop::kernels::cuda {

/// The demangled name of a kernel, for messages.
inline std::string kernel_name(const void* kernel) {
  const char* mangled = nullptr;
  if (cudaFuncGetName(&mangled, kernel) != cudaSuccess || mangled == nullptr) return "unknown kernel";
  int status = 0;
  char* readable = abi::__cxa_demangle(mangled, nullptr, nullptr, &status);
  std::string name = status == 0 ? readable : mangled;
  std::free(readable);
  return name;
}

/// Lets a kernel have so much dynamic shared memory. Never less than before: recorded launches of it may need what they were granted.
inline cudaError_t grant_dynamic_shared(const void* kernel, std::size_t bytes) {
  static std::mutex mutex;
  static std::unordered_map<const void*, std::size_t> granted;
  const std::lock_guard lock(mutex);
  std::size_t& most = granted[kernel];
  if (bytes <= most) return cudaSuccess;
  const cudaError_t status = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes));
  if (status == cudaSuccess) most = bytes;
  return status;
}

/// Errors that a kernel leaves for whatever is asked of the device next.
inline bool is_of_an_earlier_kernel(cudaError_t status) {
  return status == cudaErrorIllegalAddress || status == cudaErrorMisalignedAddress || status == cudaErrorLaunchFailure ||
         status == cudaErrorIllegalInstruction || status == cudaErrorHardwareStackError || status == cudaErrorAssert ||
         status == cudaErrorLaunchTimeout;
}

template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t dynamic_shared_bytes, cudaStream_t stream,
            Arguments&&... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments), "launch: one argument for each parameter of the kernel");
  const auto* const address = reinterpret_cast<const void*>(kernel);
  const auto require = [&](cudaError_t status, const char* what) {
    if (status == cudaSuccess) return;
    cudaGetLastError();  // so that the next launch does not report it again
    throw Error(std::string("launch of ") + kernel_name(address) + ": " + what + ": " + cudaGetErrorString(status) +
                (is_of_an_earlier_kernel(status) ? " (of a kernel before it; CUDA_LAUNCH_BLOCKING=1 says which)" : ""));
  };
  if (dynamic_shared_bytes > kDynamicSharedUnasked) {
    require(grant_dynamic_shared(address, dynamic_shared_bytes), "dynamic shared memory");
  }
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = dynamic_shared_bytes;
  config.stream = stream;
  cudaLaunchAttribute overlap{};
  overlap.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  overlap.val.programmaticStreamSerializationAllowed = 1;
  config.attrs = &overlap;
  config.numAttrs = launches_overlap ? 1 : 0;
  require(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(std::forward<Arguments>(arguments))...), "launch");
}

}  // namespace innerloop::kernels::cuda

#else

#include <memory>
#include <tuple>
#include <type_traits>

#include "kernels/cuda/host/runtime.h"

namespace innerloop::kernels::cuda {

template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t dynamic_shared_bytes, cudaStream_t stream,
            Arguments&&... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments), "launch: one argument for each parameter of the kernel");
  static_assert((!std::is_reference_v<Parameters> && ...), "launch: a kernel takes its parameters by value");
  struct Call {
    void (*kernel)(Parameters...);
    std::tuple<std::remove_cv_t<Parameters>...> arguments;
  };
  auto call = std::make_shared<Call>(Call{kernel, {static_cast<Parameters>(std::forward<Arguments>(arguments))...}});
  host_executor::LaunchRequest request;
  request.grid = grid;
  request.block = block;
  request.dynamic_shared_bytes = dynamic_shared_bytes;
  request.asks_for_shared = dynamic_shared_bytes > kDynamicSharedUnasked;
  request.kernel = reinterpret_cast<const void*>(kernel);
  request.call = [](const void* erased) {
    const auto& target = *static_cast<const Call*>(erased);
    std::apply(target.kernel, target.arguments);
  };
  request.arguments = std::move(call);
  request.arguments_bytes = sizeof(Call);
  request.overlaps = launches_overlap;
  host_executor::enqueue_launch(std::move(request), stream);
}

}  // namespace innerloop::kernels::cuda

#endif
