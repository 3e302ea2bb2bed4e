// Options of the host executor: how a kernel's threads are ordered and what is checked.
//
// Values come from the environment once, at first use, and may be changed in code between launches:
//   IL_EXECUTOR_ORDER    forward | reverse | random | eager         IL_EXECUTOR_SEED            a number
//   IL_EXECUTOR_STRICT   on | off                                   IL_EXECUTOR_STREAMS         immediate | queued | shuffled
//   IL_EXECUTOR_PROTECT  on | off                                   IL_EXECUTOR_TRAFFIC         on | off
//   IL_EXECUTOR_KERNELS  run | skip
//   IL_EXECUTOR_PREEMPT  a number (0: never)                        IL_EXECUTOR_PROGRESS_LIMIT  a number of accesses
// Any other value is a UsageError. The same options and seed give the same run, bit for bit.
#pragma once

#include <cstdint>

namespace innerloop::host_executor {

/// In which order threads (and blocks) run. Correct kernels do not notice; racy ones do.
enum class ThreadOrder {
  kForward,  ///< by index; each thread runs until it blocks
  kReverse,  ///< by index from the last to the first, blocks too
  kRandom,   ///< any thread that can run, with equal chance
  kEager,    ///< warps in a random strict priority: one runs as far ahead of the others as barriers allow
};

/// kStrict: leaving the kernel before a barrier that others reach, masks that name absent lanes, and barriers at different
/// places are errors. kPermissive follows the hardware since Volta, which lets exited threads count as arrived.
enum class Strictness { kStrict, kPermissive };

/// When work that was put on a stream runs.
enum class StreamOrder {
  kImmediate,  ///< inside the call that enqueues it
  kQueued,     ///< as late as possible: when a synchronisation needs it, so that a forgotten one shows
  kShuffled,   ///< at a synchronisation, streams interleaved at random as far as events allow
};

/// kProtected: device memory is inaccessible to the host outside kernels and runtime calls: touching it is a SIGSEGV.
enum class HostAccess { kAllowed, kProtected };

/// Whether the checked executor counts sectors and bank conflicts (traffic.h).
enum class TrafficCount { kOff, kOn };

/// kSkip: launches are checked, queued, recorded and counted (launch_counts.h) and then do nothing, and device memory is
/// not poisoned. Tells what a program would launch at sizes that it could not run or hold here; its results are worthless.
enum class KernelWork { kRun, kSkip };

struct Options {
  ThreadOrder order = ThreadOrder::kForward;
  std::uint64_t seed = 1;
  Strictness strictness = Strictness::kStrict;
  StreamOrder streams = StreamOrder::kQueued;
  HostAccess host_access = HostAccess::kAllowed;
  TrafficCount traffic = TrafficCount::kOff;
  KernelWork kernels = KernelWork::kRun;
  /// Checked executor only: a thread gives way at one in this many memory accesses; 0 = only where it blocks.
  std::uint32_t preempt_every = 0;
  /// Checked executor only: accesses without any thread blocking or finishing after which a launch is called stuck.
  std::uint64_t progress_limit = 30'000'000;
};

/// The options that the next launch uses. Not to be changed while a kernel runs.
Options& options();

/// Sets options while it lives; for tests.
class ScopedOptions {
 public:
  explicit ScopedOptions(const Options& replacement) : saved_(options()) { options() = replacement; }
  ~ScopedOptions() { options() = saved_; }
  ScopedOptions(const ScopedOptions&) = delete;
  ScopedOptions& operator=(const ScopedOptions&) = delete;

 private:
  Options saved_;
};

}  // namespace innerloop::host_executor
