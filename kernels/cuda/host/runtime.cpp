#include "kernels/cuda/host/runtime.h"

#include <utility>

#include "kernels/cuda/host/graphs.h"
#include "kernels/cuda/host/streams.h"

namespace innerloop::host_executor {

std::recursive_mutex& runtime_mutex() {
  static auto* const mutex = new std::recursive_mutex;
  return *mutex;
}

void enqueue_launch(LaunchRequest request, cudaStream_t stream) {
  const std::lock_guard lock(runtime_mutex());
  Streams& streams = Streams::instance();
  streams.rethrow_kept();
  Execution::validate(request);
  const cudaError_t admitted = Captures::instance().admit(streams.stream(stream));
  if (admitted != cudaSuccess) {
    throw KernelError(Fault::kLaunch, fmt::format("launch of {}: {}", function_name(request.kernel),
                                                  cudaGetErrorString(admitted)));
  }
  streams.enqueue(stream, [request = std::move(request)] { Execution::instance().run(request); });
}

Statistics statistics() {
  const std::lock_guard lock(runtime_mutex());
  return Execution::instance().statistics();
}

}  // namespace innerloop::host_executor
