// Recorder: writes down every range and kernel of the program while it lives, with its times.
//
//   Recorder recorder(context.device());
//   meta_gradient(...);
//   const Recording recording = recorder.finish();
//
// One at a time in the whole program; it takes the place of the trace hooks (tensor/trace.h) and kernel hooks (kernels/watch.h)
// and puts the former back. Times on the host are of its steady clock; on a device those of marks on its queue, around each
// kernel, so launch kernel by kernel while it lives: a replayed graph has no kernels to see.
#pragma once

#include <memory>

#include "meta/profile/recording.h"
#include "tensor/device.h"

namespace innerloop::meta::profile {

class Recorder {
 public:
  /// `device`: where kernels run; nullptr for the CPU. Throws Error when another watches kernels, or for a device by a thread's
  /// clock.
  explicit Recorder(Device* device, HostClock clock = HostClock::kWall);
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  /// Ends it: waits for the device and gives what was seen. No range or kernel may be open. Throws what went wrong while marks
  /// were put on the queue.
  Recording finish();

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace innerloop::meta::profile
