// Recording of a stream's work into a CUDA graph: what CudaDevice::record() is made of.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

#include "tensor/device.h"

namespace innerloop::kernels::cuda {

/// An executable graph.
class GraphRecording final : public Recording {
 public:
  /// Takes the graph over, whether it throws or not.
  explicit GraphRecording(cudaGraph_t graph);
  ~GraphRecording() override;
  GraphRecording(const GraphRecording&) = delete;
  GraphRecording& operator=(const GraphRecording&) = delete;

  std::size_t nodes() const override { return nodes_; }
  void launch(cudaStream_t stream) const;

 private:
  cudaGraphExec_t executable_ = nullptr;
  std::size_t nodes_ = 0;
};

/// Captures `stream` while it lives, in the mode that refuses unsafe calls of this thread alone. Without finish(), what
/// was captured is dropped.
class StreamCapture {
 public:
  explicit StreamCapture(cudaStream_t stream);
  ~StreamCapture();
  StreamCapture(const StreamCapture&) = delete;
  StreamCapture& operator=(const StreamCapture&) = delete;

  /// Ends the capture. Throws when something in it could not be captured.
  cudaGraph_t finish();

 private:
  cudaError_t end(cudaGraph_t* graph);

  cudaStream_t stream_;
  bool open_ = true;
};

}  // namespace innerloop::kernels::cuda
