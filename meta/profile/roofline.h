// The roofline of a machine, measured: what its arithmetic and its memory do at best, with as many threads as the context has.
//
// Work of F FLOP and B bytes takes at least max(F / flops_per_s, B / rate), where rate is the memory's. A CPU whose caches hold
// the operands is not bound by memory: calls of few bytes are held against the rate of copies of that size.
// S. Williams, A. Waterman, D. Patterson, "Roofline: an insightful visual performance model", CACM 52(4), 2009.
#pragma once

#include <cstdint>

#include "kernels/cost.h"
#include "meta/profile/host_clock.h"
#include "tensor/context.h"

namespace innerloop::meta::profile {

struct Roofline {
  double flops_per_s = 0;         ///< chains of multiply-adds in registers, 2 FLOP each
  double memory_bytes_per_s = 0;  ///< y = a x + b over arrays far larger than the caches that one core owns, bytes read and written
  double cache_bytes_per_s = 0;   ///< the same over arrays of cache_bytes in all, for each thread; 0 where not measured
  std::int64_t cache_bytes = 0;   ///< calls that move no more than this are held against cache_bytes_per_s

  /// Seconds that the machine needs at least, all threads working.
  double least_seconds(const kernels::KernelCost& cost) const;
};

/// Takes about a third of a second on a CPU: the best of several short runs of each. In float32. By a thread's clock, which is
/// for a CPU, one thread is measured and multiplied by their number: what they would do if none had to wait, and if the memory
/// had as much for all at once.
Roofline measure_roofline(Context& context, HostClock clock = HostClock::kWall);

}  // namespace innerloop::meta::profile
