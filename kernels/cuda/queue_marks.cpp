// Marks on the stream of a CUDA device are events (tensor/queue_marks.h).
#include "tensor/queue_marks.h"

#include "kernels/cuda/event.h"

namespace innerloop::kernels::cuda {
namespace {

class EventMarks final : public QueueMarks {
 public:
  explicit EventMarks(Device& device) : device_(device) {}

  std::size_t mark() override {
    IL_CHECK(!device_.is_recording(), "device cuda: a mark for a profile while work is recorded; launch it kernel by kernel");
    events_.push_back(std::make_unique<Event>());
    events_.back()->record(static_cast<cudaStream_t>(device_.stream()));
    return events_.size() - 1;
  }

  std::vector<double> seconds() override {
    device_.synchronize();
    std::vector<double> out;
    for (const auto& event : events_) out.push_back(static_cast<double>(event->since(*events_.front())) * 1e-3);
    return out;
  }

 private:
  Device& device_;
  std::vector<std::unique_ptr<Event>> events_;
};

[[maybe_unused]] const bool registered = register_queue_marks(
    [](Device& device) -> std::unique_ptr<QueueMarks> { return std::make_unique<EventMarks>(device); });

}  // namespace
}  // namespace innerloop::kernels::cuda
