// Execution: one launch at a time, block by block, the block's threads as fibers.
//
// A fiber that finishes its thread goes on with the next one, and a second fiber is taken only when a thread blocks. So a
// kernel without barriers runs as a plain loop, with no declaration and no detection. All of a launch happens on the calling
// operating-system thread; launches from several of them are serialised (runtime.h).
//
// Kernels see this file's functions through the device language headers (device.cuh); hosts see launch.cuh.
#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels/cuda/host/diagnostics.h"
#include "kernels/cuda/host/fiber.h"
#include "kernels/cuda/host/primitive.h"
#include "kernels/cuda/host/scheduler.h"
#include "kernels/cuda/host/shared_memory.h"

namespace innerloop::host_executor {

/// A kernel with its arguments, ready to run.
struct LaunchRequest {
  dim3 grid, block;
  std::size_t dynamic_shared_bytes = 0;
  bool asks_for_shared = false;  ///< for more than a block has unasked
  const void* kernel = nullptr;
  /// Calls the kernel for the current thread; `arguments` holds copies of its arguments.
  void (*call)(const void* arguments) = nullptr;
  std::shared_ptr<const void> arguments;
  std::size_t arguments_bytes = 0;
  bool overlaps = false;  ///< begins before the kernels ahead of it have ended (launch_overlap.h)
};

/// What ran since the program started.
struct Statistics {
  std::uint64_t launches = 0, blocks = 0, threads = 0, switches = 0, accesses = 0;
};

struct Thread {
  enum class State : std::uint8_t { kUnstarted, kReady, kRunning, kAtBarrier, kAtWarp, kFinished };
  uint3 index{};
  State state = State::kUnstarted;
  bool in_turn = false;  ///< has waited for the kernels ahead, or need not
  Fiber* fiber = nullptr;
  Site site;                             ///< where it waits
  const Primitive* primitive = nullptr;  ///< what it waits at
  unsigned mask = 0;
};

/// Lanes that meet at one primitive; groups with disjoint masks wait side by side.
struct LaneGroup {
  unsigned mask = 0, arrived = 0;
  const Primitive* primitive = nullptr;
  Complete complete = nullptr;
  Site site;
};

struct Warp {
  unsigned exists = 0, exited = 0;
  unsigned group_count = 0;
  std::array<LaneGroup, kWarpLanes> groups;
  std::array<void*, kWarpLanes> payloads{};

  unsigned live() const { return exists & ~exited; }
};

/// Whether this operating-system thread is inside Execution::run.
inline thread_local bool launching_here = false;

class Execution {
 public:
  static Execution& instance() {
    static auto* const execution = new Execution;  // never destroyed: kernels may run until the program's very end
    return *execution;
  }

  /// Throws KernelError unless a device would accept the launch.
  static void validate(const LaunchRequest& request);
  /// Runs a valid request to its end. Throws what the kernel threw, or the KernelError of the first fault.
  void run(const LaunchRequest& request);

  // For kernels, through the device language.
  int barrier(int predicate, Site site);
  void await_grid() { threads_[current_].in_turn = true; }
  unsigned meet(unsigned mask, const Primitive& primitive, Site site, void* payload, Complete complete);
  SharedMemory& shared() { return shared_; }

  // For monitors and reports.
  bool running() const { return request_ != nullptr; }
  bool in_kernel_code() const { return current_ != kNobody && !in_runtime_; }
  unsigned current() const { return current_; }
  unsigned lane() const { return current_ % kWarpLanes; }
  const LaunchRequest& request() const { return *request_; }
  unsigned thread_count() const { return thread_count_; }
  const Thread& thread(unsigned index) const { return threads_[index]; }
  const Warp& warp(unsigned index) const { return warps_[index]; }
  bool on_own_stack(std::uintptr_t address) const { return threads_[current_].fiber->stack_holds(address); }
  Statistics& statistics() { return statistics_; }
  OrderDraws& draws() { return scheduler_.draws(); }
  /// Lets other threads run; only from a monitor's access().
  void give_way();
  /// Ends the launch with `error` at once, without unwinding the kernel: for callers that no exception may pass through.
  [[noreturn]] void abandon(std::exception_ptr error);
  std::string describe_position() const;

  bool set_in_runtime(bool value) { return std::exchange(in_runtime_, value); }

 private:
  static constexpr unsigned kNobody = ~0u;

  Execution() = default;
  void prepare(const LaunchRequest& request);
  void finish_launch();
  bool begin_block();
  void enter(unsigned thread);
  void start_on(Fiber& fiber, unsigned thread);
  void resume(Fiber& from, unsigned thread);
  void block();
  int finish_thread();
  Fiber& take_fiber();
  void fiber_main();
  void release_barrier();
  bool complete_group(unsigned warp, unsigned group, unsigned running_lane);
  void switch_between(Fiber& from, Fiber& to);
  [[noreturn]] void report_deadlock() const;

  const LaunchRequest* request_ = nullptr;
  unsigned thread_count_ = 0, warp_count_ = 0;
  std::array<Thread, kMaxBlockThreads> threads_;
  std::array<Warp, kMaxWarps> warps_;
  Scheduler scheduler_;
  SharedMemory shared_;
  unsigned current_ = kNobody;
  bool in_runtime_ = true;

  unsigned finished_ = 0, at_barrier_ = 0, barrier_first_ = 0;
  int barrier_count_ = 0, barrier_result_ = 0;
  Site barrier_site_;

  std::uint64_t next_block_ = 0, block_count_ = 0;
  std::vector<std::uint32_t> block_order_;

  Fiber launching_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  Fiber* free_fibers_ = nullptr;
  Fiber* running_fiber_ = nullptr;
  std::exception_ptr error_;
  Statistics statistics_;
};

/// Marks the executor's own work on a kernel's behalf, whose memory accesses are not the kernel's.
class RuntimeScope {
 public:
  RuntimeScope() : before_(Execution::instance().set_in_runtime(true)) {}
  ~RuntimeScope() { Execution::instance().set_in_runtime(before_); }
  RuntimeScope(const RuntimeScope&) = delete;
  RuntimeScope& operator=(const RuntimeScope&) = delete;

 private:
  bool before_;
};

}  // namespace innerloop::host_executor
