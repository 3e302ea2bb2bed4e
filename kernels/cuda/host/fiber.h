// Fiber: a stack of its own and a place to continue, switched in user space. One CUDA thread runs on one fiber.
//
// A switch saves the callee-saved registers and nothing else: x86-64 has its own few instructions (about 15 ns for a hop);
// other processors, or a build with IL_FIBER_UCONTEXT, use ucontext (about 250 ns, since it makes a system call). A fiber
// stays on the operating-system thread that launched the kernel. AddressSanitizer is told about each switch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace innerloop::host_executor {

/// Bytes for a CUDA thread's locals and calls; below lies a guard page, so an overrun is a SIGSEGV.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr std::size_t kFiberStackBytes = 256 * 1024;  // instrumented frames are several times larger
#else
inline constexpr std::size_t kFiberStackBytes = 64 * 1024;
#endif

class Fiber {
 public:
  /// Stands for the operating-system thread itself: the place that a launch returns to.
  Fiber();
  /// A fiber that will run `entry`, which must never return and must call arrived() first. `slot` staggers the tops of
  /// stacks, so that 32 lanes' hot frames do not all fall into one set of the cache.
  Fiber(void (*entry)(), unsigned slot);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Forgets whatever the fiber was doing: the next switch starts `entry` anew. Objects on its stack are not destroyed.
  void reset();

  /// For the operating-system thread's fiber: notes the bounds of the calling thread's stack.
  void adopt_current_thread();

  /// Leaves `from`, which must be running, and continues `to`. Returns when somebody switches back to `from`.
  static void switch_between(Fiber& from, Fiber& to);

  /// The first statement of an entry function.
  static void arrived();

  bool stack_holds(std::uintptr_t address) const {
    return address - reinterpret_cast<std::uintptr_t>(stack_) < stack_bytes_;
  }

  Fiber* next_free = nullptr;  ///< the executor's list of parked fibers

 private:
  struct Context;

  std::unique_ptr<Context> context_;
  void (*entry_)() = nullptr;
  unsigned slot_ = 0;
  char* stack_ = nullptr;
  std::size_t stack_bytes_ = 0;
  void* fake_stack_ = nullptr;  ///< AddressSanitizer's own
};

}  // namespace innerloop::host_executor
