// QueueMarks: when a device's queue came past points in it, for profiles. What an engine for devices offers beside its Device.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "tensor/device.h"
#include "tensor/error.h"

namespace innerloop {

class QueueMarks {
 public:
  virtual ~QueueMarks() = default;
  /// Puts a mark behind all work of the queue; marks are numbered from 0. Not while work is recorded.
  virtual std::size_t mark() = 0;
  /// Waits for the queue. When it came past each mark, in seconds since it came past mark 0.
  virtual std::vector<double> seconds() = 0;
};

using QueueMarksFactory = std::unique_ptr<QueueMarks> (*)(Device& device);

namespace queue_marks_internal {
inline QueueMarksFactory make = nullptr;
}

/// Called by the engine for devices that is linked into the program, before main().
inline bool register_queue_marks(QueueMarksFactory make) {
  queue_marks_internal::make = make;
  return true;
}

/// `device` must outlive them. Throws Error where the engine cannot time its queue.
inline std::unique_ptr<QueueMarks> make_queue_marks(Device& device) {
  IL_CHECK(queue_marks_internal::make != nullptr, "device {}: its engine cannot time its queue; profile on the CPU",
           device.name());
  return queue_marks_internal::make(device);
}

}  // namespace innerloop
