// Time as a run's own reports count it: seconds by a clock that never goes back.
#pragma once

#include <chrono>

namespace innerloop::meta {

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

}  // namespace innerloop::meta
