#include "meta/profile/host_clock.h"

#include <time.h>

namespace innerloop::meta::profile {

double seconds_of(HostClock clock) {
  timespec t{};
  clock_gettime(clock == HostClock::kThread ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

}  // namespace innerloop::meta::profile
