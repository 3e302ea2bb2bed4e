#include "kernels/cuda/recording.h"

#include "kernels/cuda/status.h"

namespace innerloop::kernels::cuda {

GraphRecording::GraphRecording(cudaGraph_t graph) {
  const auto make = [&] {
    IL_CUDA_CHECK(cudaGraphGetNodes(graph, nullptr, &nodes_));
    IL_CUDA_CHECK(cudaGraphInstantiate(&executable_, graph, 0));
  };
  try {
    make();
  } catch (...) {
    static_cast<void>(cudaGraphDestroy(graph));
    throw;
  }
  IL_CUDA_CHECK(cudaGraphDestroy(graph));  // the executable has all it needs
}

GraphRecording::~GraphRecording() {
  // A failure has nobody to report to. Launches that are under way still finish.
  static_cast<void>(cudaGraphExecDestroy(executable_));
}

void GraphRecording::launch(cudaStream_t stream) const { IL_CUDA_CHECK(cudaGraphLaunch(executable_, stream)); }

StreamCapture::StreamCapture(cudaStream_t stream) : stream_(stream) {
  IL_CUDA_CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
}

StreamCapture::~StreamCapture() {
  if (!open_) return;
  cudaGraph_t graph = nullptr;
  static_cast<void>(end(&graph));
  if (graph != nullptr) static_cast<void>(cudaGraphDestroy(graph));
}

cudaError_t StreamCapture::end(cudaGraph_t* graph) {
  open_ = false;
  const cudaError_t status = cudaStreamEndCapture(stream_, graph);
  static_cast<void>(cudaGetLastError());
  return status;
}

cudaGraph_t StreamCapture::finish() {
  cudaGraph_t graph = nullptr;
  const cudaError_t status = end(&graph);
  IL_CHECK(
      status == cudaSuccess,
      "device cuda: the work cannot be recorded: something in it waited for the device, asked for memory or copied "
      "from the host ({})",
      cudaGetErrorString(status));
  return graph;
}

}  // namespace innerloop::kernels::cuda
