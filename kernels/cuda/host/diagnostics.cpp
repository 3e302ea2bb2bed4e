#include "kernels/cuda/host/diagnostics.h"

#include <vector>

#include "kernels/cuda/host/execution.h"
#include "kernels/cuda/host/language.h"

namespace innerloop::host_executor {

std::string describe(const Site& site) { return fmt::format("{}:{}", site.file, site.line); }

std::string Execution::describe_position() const {
  if (request_ == nullptr) return "host executor: ";
  std::string text = fmt::format("host executor: kernel {}", function_name(request_->kernel));
  if (running_fiber_ != &launching_) text += fmt::format(", block ({},{},{})", blockIdx.x, blockIdx.y, blockIdx.z);
  if (current_ != kNobody) {
    const uint3 index = threads_[current_].index;
    text += fmt::format(", thread ({},{},{})", index.x, index.y, index.z);
  }
  return text + ": ";
}

void report(Fault fault, const std::string& text) {
  throw KernelError(fault, Execution::instance().describe_position() + text);
}

void Execution::report_deadlock() const {
  std::string text = "deadlock: every thread waits";
  // One clause for each place; the states of up to 1024 threads fold into few.
  std::vector<bool> told(thread_count_, false);
  for (unsigned i = 0; i < thread_count_; ++i) {
    const Thread& first = threads_[i];
    if (told[i] || (first.state != Thread::State::kAtBarrier && first.state != Thread::State::kAtWarp)) continue;
    unsigned count = 0;
    for (unsigned k = i; k < thread_count_; ++k) {
      const Thread& other = threads_[k];
      const bool same = other.state == first.state && other.site == first.site &&
                        (first.state == Thread::State::kAtBarrier ||
                         (other.mask == first.mask && k / kWarpLanes == i / kWarpLanes));
      if (!same) continue;
      told[k] = true;
      ++count;
    }
    if (first.state == Thread::State::kAtBarrier) {
      text += fmt::format("; {} at __syncthreads() {} (the first: {})", count, describe(first.site), i);
    } else {
      text += fmt::format("; {} at {}(mask {:#010x}) {} (the first: {})", count, first.primitive->name, first.mask,
                          describe(first.site), i);
    }
  }
  report(Fault::kDeadlock, text);
}

}  // namespace innerloop::host_executor
