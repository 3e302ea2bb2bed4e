// By which clock the time of what runs on the host counts.
#pragma once

#include <cstdint>

namespace innerloop::meta::profile {

enum class HostClock : std::uint8_t {
  kWall,
  kThread,  ///< the time that the thread was at work, which other programs cannot stretch; not that of threads that help it
};

/// Seconds of `clock`, of the calling thread, since some time in the past.
double seconds_of(HostClock clock);

}  // namespace innerloop::meta::profile
