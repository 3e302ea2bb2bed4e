#include "kernels/cuda/host/async_copies.h"

#include <array>
#include <cstring>
#include <vector>

#include "kernels/cuda/host/execution.h"
#include "kernels/cuda/host/language.h"

namespace innerloop::host_executor {
namespace {

struct PendingCopy {
  void* to;
  const void* from;
  unsigned bytes, valid;
  const void* instruction;
  unsigned group;
};

/// A thread's copies, in the order of issue. (No deque: it frees and allocates as it moves along, once every few copies.)
struct Queue {
  std::uint64_t block = 0;
  unsigned group = 0;  ///< the number of the group that the next commit closes
  std::vector<PendingCopy> copies;
  std::size_t done = 0;  ///< of them, the first
};

Queue& queue_of_thread() {
  static auto* const queues = new std::array<Queue, kMaxBlockThreads>;
  Queue& queue = (*queues)[thread_index()];
  if (queue.block != block_serial()) {  // a new block: what an earlier thread of this index left is gone
    queue.block = block_serial();
    queue.group = 0;
    queue.copies.clear();
    queue.done = 0;
  }
  return queue;
}

/// Completes the copies of groups before `end`.
void complete_before(Queue& queue, unsigned end) {
  while (queue.done < queue.copies.size() && queue.copies[queue.done].group < end) {
    const PendingCopy copy = queue.copies[queue.done++];
    observe(copy.to, copy.bytes, Access::kWrite, copy.instruction, Observe::kCheck);
    auto* to = static_cast<char*>(copy.to);
    if (copy.valid > 0) std::memcpy(to, copy.from, copy.valid);  // a copy of nothing may name no address
    std::memset(to + copy.valid, 0, copy.bytes - copy.valid);
  }
  constexpr std::size_t kMany = 64;
  if (queue.done < queue.copies.size() && queue.done < kMany) return;
  queue.copies.erase(queue.copies.begin(), queue.copies.begin() + static_cast<std::ptrdiff_t>(queue.done));
  queue.done = 0;
}

}  // namespace

void copy_later(void* shared, const void* global, unsigned bytes, unsigned valid, const void* return_address, Site site) {
  require_aligned(shared, bytes, "cp.async to shared memory", site);
  require_aligned(global, bytes, "cp.async from global memory", site);
  const RuntimeScope scope;
  if (!Execution::instance().shared().holds(reinterpret_cast<std::uintptr_t>(shared))) {
    report(Fault::kIllegalAddress, fmt::format("cp.async at {}: the target {} is not shared memory", describe(site), shared));
  }
  if (valid > bytes) {
    report(Fault::kOutOfBounds, fmt::format("cp.async at {}: {} valid bytes of {}", describe(site), valid, bytes));
  }
  if (valid > 0) observe(global, valid, Access::kRead, return_address);
  observe(shared, bytes, Access::kWrite, return_address, Observe::kCount);
  observe(shared, bytes, Access::kStarted, return_address, Observe::kCheck);
  Queue& queue = queue_of_thread();
  queue.copies.push_back({shared, global, bytes, valid, return_address, queue.group});
}

void commit_copies() {
  const RuntimeScope scope;
  ++queue_of_thread().group;
}

void wait_copies(unsigned groups_left) {
  const RuntimeScope scope;
  Queue& queue = queue_of_thread();
  complete_before(queue, queue.group > groups_left ? queue.group - groups_left : 0);
}

void wait_all_copies() {
  const RuntimeScope scope;
  Queue& queue = queue_of_thread();
  complete_before(queue, queue.group + 1);
}

}  // namespace innerloop::host_executor
