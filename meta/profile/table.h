// Where the time of a recording went: rows of kernels that share a layer, an inner step, a derivative order or a name.
//
// A lane is what kernels run on: a thread, or a device's queue. `total_seconds` is the wall time of all
// lanes together, so that the rows and `outside_seconds` add up to it: what is outside of kernels is the work between them, and
// waiting. By a thread's clock (HostClock) kernels count only while their thread works, and what other programs took is outside.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/cost.h"
#include "meta/profile/recording.h"
#include "meta/profile/roofline.h"

namespace innerloop::meta::profile {

enum class Key : std::uint8_t { kLayer, kStep, kOrder, kKernel };
inline constexpr Key kAllKeys[] = {Key::kLayer, Key::kStep, Key::kOrder, Key::kKernel};

/// "layer", "step", "order", "kernel".
std::string_view name_of(Key key);

/// Where a kernel belongs. A label is "-" where it does not apply.
struct Place {
  std::string layer;   ///< "block1", ..., "head", "loss"
  std::string step;    ///< "1", "2", ...: the inner step; else the phase ("query gradient", "outer update", ...)
  std::string order;   ///< forward, first, tangent, second; update, and draw for tasks
  std::string kernel;

  const std::string& at(Key key) const;
};

/// The place of a kernel span of a lane.
Place place_of(const Track& parents, const Span& span);

struct Row {
  std::vector<std::string> labels;  ///< one for each key
  std::int64_t calls = 0;
  double seconds = 0;
  kernels::KernelCost cost;
  double least_seconds = 0;         ///< by the roofline of the cores that one lane has

  double roofline_share() const { return seconds > 0 ? least_seconds / seconds : 0; }
};

struct Table {
  std::vector<Key> keys;
  std::vector<Row> rows;  ///< in the order of the network and of a meta-step
  Row sum;                ///< of all rows
  int lanes = 0;
  double wall_seconds = 0, total_seconds = 0, outside_seconds = 0;
  double at_work_seconds = 0;  ///< of what is outside: in the ranges of the program; 0 where lanes are a device's queue
};

/// `roofline` is that of the whole machine, which the lanes share.
Table tabulate(const Recording& recording, const std::vector<Key>& keys, const Roofline& roofline);

}  // namespace innerloop::meta::profile
