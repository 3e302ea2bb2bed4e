#include "kernels/cuda/event_timer.h"

#include <algorithm>
#include <array>

#include "kernels/cuda/event.h"

namespace innerloop::kernels::cuda {

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
