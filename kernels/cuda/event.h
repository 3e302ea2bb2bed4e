// Event: a CUDA event with one owner, for timing work on a stream.
#pragma once

#include "kernels/cuda/status.h"

namespace innerloop::kernels::cuda {

class Event {
 public:
  Event() { IL_CUDA_CHECK(cudaEventCreate(&event_)); }
  ~Event() { static_cast<void>(cudaEventDestroy(event_)); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void record(cudaStream_t stream) { IL_CUDA_CHECK(cudaEventRecord(event_, stream)); }
  /// Milliseconds from `start` to this; waits for this.
  float since(const Event& start) const {
    float milliseconds = 0;
    IL_CUDA_CHECK(cudaEventSynchronize(event_));
    IL_CUDA_CHECK(cudaEventElapsedTime(&milliseconds, start.event_, event_));
    return milliseconds;
  }

 private:
  cudaEvent_t event_ = nullptr;
};

}  // namespace innerloop::kernels::cuda
