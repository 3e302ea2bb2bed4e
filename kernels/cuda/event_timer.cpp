#include "kernels/cuda/event_timer.h"

#include <algorithm>
#include <array>

#include "kernels/cuda/event.h"

namespace innerloop::kernels::cuda {

double median_milliseconds(cudaStream_t stream, FunctionRef<void()> put) {
  // Several together behind one that is not timed: of work in many launches a single run on an idle device would show how fast the host
  // asks, which a recorded step does not pay.
  constexpr int kTogether = 4;
  put();
  Event start, stop;
  std::array<double, 5> times{};
  for (double& time : times) {
    put();
    start.record(stream);
    for (int i = 0; i < kTogether; ++i) put();
    stop.record(stream);
    time = stop.since(start) / kTogether;
  }
  std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
  return times[times.size() / 2];
}

}  // namespace innerloop::kernels::cuda
