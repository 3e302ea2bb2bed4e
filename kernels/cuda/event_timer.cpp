#include "kernels/cuda/event_timer.h"

#include <algorithm>
#include <array>

#include "kernels/cuda/status.h"

namespace innerloop::kernels::cuda {
namespace {

class Event {
 public:
  Event() { IL_CUDA_CHECK(cudaEventCreate(&event_)); }
  ~Event() { static_cast<void>(cudaEventDestroy(event_)); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void record(cudaStream_t stream) { IL_CUDA_CHECK(cudaEventRecord(event_, stream)); }
  /// Milliseconds from `start` to this; waits for this.
  double since(const Event& start) const {
    float milliseconds = 0;
    IL_CUDA_CHECK(cudaEventSynchronize(event_));
    IL_CUDA_CHECK(cudaEventElapsedTime(&milliseconds, start.event_, event_));
    return milliseconds;
  }

 private:
  cudaEvent_t event_ = nullptr;
};

}  // namespace

double median_milliseconds(cudaStream_t stream, FunctionRef<void()> put) {
  put();
  Event start, stop;
  std::array<double, 5> times{};
  for (double& time : times) {
    start.record(stream);
    put();
    stop.record(stream);
    time = stop.since(start);
  }
  std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
  return times[times.size() / 2];
}

}  // namespace innerloop::kernels::cuda
