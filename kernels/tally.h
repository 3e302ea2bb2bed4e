// KernelTally: counts the kernels that run while it lives, and what they cost at least (kernels/cost.h). Only one may live at a
// time, in the whole program. Of a kernel that runs others, the others count.
//
//   KernelTally tally;
//   meta_gradient(...);
//   tally.total().cost.flops
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "kernels/watch.h"
#include "tensor/error.h"

namespace innerloop::kernels {

class KernelTally {
 public:
  struct Entry {
    std::int64_t calls = 0;
    KernelCost cost;
    friend bool operator==(const Entry&, const Entry&) = default;
  };

  /// Throws Error when kernels are watched already.
  KernelTally() {
    IL_CHECK(watch_internal::current.load() == nullptr, "kernel tally: kernels are watched already; end that first");
    living_ = this;
    set_kernel_hooks(&kHooks);
  }
  /// No kernel may be under way.
  ~KernelTally() {
    set_kernel_hooks(nullptr);
    living_ = nullptr;
  }
  KernelTally(const KernelTally&) = delete;
  KernelTally& operator=(const KernelTally&) = delete;

  std::map<std::string, Entry> by_kernel() const {
    const std::lock_guard lock(mutex_);
    return entries_;
  }
  Entry total() const {
    Entry sum;
    for (const auto& [name, entry] : by_kernel()) {
      sum.calls += entry.calls;
      sum.cost += entry.cost;
    }
    return sum;
  }

 private:
  /// The kernels under way on this thread: whether each has run another.
  static std::vector<bool>& under_way() {
    thread_local std::vector<bool> stack;
    return stack;
  }
  static void begin(const KernelCall&) noexcept {
    std::vector<bool>& stack = under_way();
    if (!stack.empty()) stack.back() = true;
    stack.push_back(false);
  }
  static void end(const KernelCall& call) noexcept {
    const bool composed = under_way().back();
    under_way().pop_back();
    if (composed) return;
    const std::lock_guard lock(living_->mutex_);
    Entry& entry = living_->entries_[std::string(call.name)];
    ++entry.calls;
    entry.cost += call.cost;
  }

  static constexpr KernelHooks kHooks{&begin, &end};
  static inline KernelTally* living_ = nullptr;
  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;
};

}  // namespace innerloop::kernels
