// TraceRange: names a stretch of work for whatever watches the program, such as a profiler's timeline.
//
//   const TraceRange range("inner step");
//
// Off unless an engine has set hooks (kernels/cuda/nvtx.h does for IL_NVTX=on). Off, a range costs one relaxed load.
// Ranges nest by scope, on each thread for itself.
#pragma once

#include <atomic>

namespace innerloop {

/// What a range calls, on the thread that opens and closes it. Must not throw.
struct TraceHooks {
  void (*begin)(const char* name) noexcept;
  void (*end)() noexcept;
};

/// Ranges that open from now on call `hooks`; nullptr is off. `hooks` must be a constant of the program: it is read
/// without order, and a range that is open keeps it.
void set_trace_hooks(const TraceHooks* hooks);

namespace trace_internal {
inline std::atomic<const TraceHooks*> current{nullptr};
}  // namespace trace_internal

class TraceRange {
 public:
  /// `name` is not copied here; hooks may keep no pointer to it.
  explicit TraceRange(const char* name) : hooks_(trace_internal::current.load(std::memory_order_relaxed)) {
    if (hooks_ != nullptr) [[unlikely]]
      hooks_->begin(name);
  }
  ~TraceRange() {
    if (hooks_ != nullptr) [[unlikely]]
      hooks_->end();
  }
  TraceRange(const TraceRange&) = delete;
  TraceRange& operator=(const TraceRange&) = delete;

 private:
  const TraceHooks* const hooks_;  ///< those that saw it begin see it end
};

}  // namespace innerloop
