// What a recorder saw: every range and kernel of every thread, and, on a device, every kernel as its queue ran it.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/derivative.h"
#include "kernels/cost.h"
#include "meta/inner_step_scope.h"
#include "meta/profile/host_clock.h"

namespace innerloop::meta::profile {

enum class SpanKind : std::uint8_t { kRange, kKernel };

struct Span {
  std::string_view name;  ///< of the range (tensor/trace.h) or of the kernel
  SpanKind kind = SpanKind::kRange;
  bool composed = false;        ///< a kernel that ran others: its cost is theirs
  std::int32_t parent = -1;     ///< the span that was open, in the same track; -1 for none
  double begin = 0, end = 0;    ///< seconds since the recording began
  double taken = 0;             ///< seconds by the recorder's clock: end - begin, or the work of its thread
  double inside = 0;            ///< of these, in kernels that it ran: only for kernels
  kernels::KernelCost cost;     ///< of a kernel
  std::string_view layer;       ///< empty: none
  autograd::Derivative derivative = autograd::Derivative::kNone;
  int step = kNoInnerStep;

  bool is_kernel() const { return kind == SpanKind::kKernel; }
};

/// One thread, or the queue of a device. Spans are in the order in which they began; names point into `names`.
struct Track {
  std::string name;
  std::vector<Span> spans;
  std::set<std::string, std::less<>> names;
};

struct Recording {
  double seconds = 0;          ///< from its begin to its end, by the wall clock
  HostClock clock = HostClock::kWall;
  std::vector<Track> threads;  ///< in the order of their first event
  /// Where kernels run on a device: span i is kernel i of threads[0], which asked for them, in order; `parent` is a span of
  /// threads[0].
  std::optional<Track> queue;

  Recording() = default;
  Recording(Recording&&) = default;
  Recording& operator=(Recording&&) = default;

  /// The tracks whose kernels take the time: the device's queue, or the threads that ran kernels.
  std::vector<const Track*> lanes() const;
  /// Seconds of all kernels, on all lanes.
  double kernel_seconds() const;
  /// The spans that `span`'s parents are in, for a span of one of lanes().
  const Track& parents_of(const Track& lane) const { return queue && &lane == &*queue ? threads.front() : lane; }
};

/// The ranges around a span, the outermost first; kernels that ran it are left out.
std::vector<const Span*> ranges_around(const Track& parents, const Span& span);

}  // namespace innerloop::meta::profile
