// Who watches kernels: a profiler or a count of costs is told of every kernel that kernels::run() starts and ends.
//
// Off unless hooks are set. Off, it costs one relaxed load a kernel, and no cost is computed.
// A kernel may run others (kernels/conv_block.h): their calls nest inside its own, on the same thread. To count nothing twice,
// a watcher counts the cost of a kernel that ran no other: of a composed kernel, its parts.
#pragma once

#include <atomic>
#include <string_view>

#include "kernels/cost.h"
#include "tensor/context.h"

namespace innerloop::kernels {

struct KernelCall {
  std::string_view name;  ///< K::kName, a literal
  KernelCost cost;
  Context& context;
};

/// Called on the thread that runs the kernel. On a device, the kernel is on the queue when `end` is called, and not yet done.
/// Must not throw.
struct KernelHooks {
  void (*begin)(const KernelCall& call) noexcept;
  void (*end)(const KernelCall& call) noexcept;
};

namespace watch_internal {
inline std::atomic<const KernelHooks*> current{nullptr};

class WatchedCall {
 public:
  WatchedCall(const KernelHooks& hooks, const KernelCall& call) : hooks_(hooks), call_(call) { hooks_.begin(call_); }
  ~WatchedCall() { hooks_.end(call_); }
  WatchedCall(const WatchedCall&) = delete;
  WatchedCall& operator=(const WatchedCall&) = delete;

 private:
  const KernelHooks& hooks_;  // those that saw it begin see it end
  const KernelCall call_;
};
}  // namespace watch_internal

/// Kernels that start from now on call `hooks`; nullptr is off. `hooks` must be a constant of the program: it is read without
/// order, and a kernel that is under way keeps it.
inline void set_kernel_hooks(const KernelHooks* hooks) {
  watch_internal::current.store(hooks, std::memory_order_relaxed);
}

}  // namespace innerloop::kernels
