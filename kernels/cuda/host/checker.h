// Checker: races, uninitialised reads, bounds and stale pointers, judged by CUDA's own rules of what happens before what.
//
// Kernel sources are compiled with -fsanitize=thread but linked with this instead of that sanitizer's runtime, so the checker
// sees every access (tsan_callbacks.cpp). What orders two accesses of one launch:
//   - program order within a thread
//   - __syncthreads within a block
//   - __syncwarp within a warp (lane clocks; shuffles, votes and mma order nothing)
//   - between blocks: a __threadfence followed by an atomic releases what the block did before; an atomic of another block on
//     the same address acquires it (the "last block" pattern), once its thread, or after a barrier any thread of its block, has
//     executed a __threadfence, too
// A copy of cp.async writes at any moment from its issue to its wait: nobody else may touch the place between, nor read it before the wait.
// Two atomics never race. Launches are ordered among themselves. A race is reported at the second access, whatever order the
// threads happened to run in.
//
// Approximations: two reads are kept a granule, so a write may be found to race with one of many readers only; the fence that
// acquires does so for the whole block; plain writes of one same value by several threads are reported; an overrun beyond the
// redzone that lands in another variable passes; static __constant__ data is not checked; an atomic on memory never written is
// reported, atomicExch included.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "kernels/cuda/host/device_heap.h"
#include "kernels/cuda/host/execution.h"
#include "kernels/cuda/host/monitor.h"
#include "kernels/cuda/host/shadow.h"
#include "kernels/cuda/host/traffic_counter.h"

namespace innerloop::host_executor {

/// Makes a checker the monitor. Every instrumented source does so at program start.
void install_checker();

class Checker final : public Monitor {
 public:
  Checker();

  void launch_begins(const void* kernel) override;
  void block_begins() override;
  void block_ended() override;
  void launch_ended() override;
  void shared_allocated(const char* memory, std::size_t bytes) override;
  void barrier_passed() override;
  void warp_synchronised(unsigned warp, unsigned lanes) override;
  void fence() override;
  void access(std::uintptr_t address, std::size_t bytes, Access kind, std::uintptr_t return_address) override;
  void count(std::uintptr_t address, std::size_t bytes, Access kind, std::uintptr_t return_address) override;
  std::unique_ptr<AllocationNotes> notes_for(std::size_t bytes) override;
  void host_wrote(AllocationNotes& notes, std::size_t offset, std::size_t bytes) override;

 private:
  struct Attempt {
    std::uintptr_t address;
    std::size_t bytes;
    Access kind;
    Stamp stamp;
  };
  /// What a block did in these epochs was released through an atomic on `address`.
  struct Release {
    std::uintptr_t address;
    std::uint32_t first, last;
  };

  /// A thread's atomic has met a release: acquired once the thread has fenced.
  struct Observed {
    static constexpr unsigned kAnyThread = ~0u;
    unsigned thread;
    std::pair<std::uint32_t, std::uint32_t> epochs;
    bool operator==(const Observed&) const = default;
  };

  void require_progress();
  void synchronise_through(std::uintptr_t address);
  void access_shared(const Attempt& attempt);
  void access_global(const Attempt& attempt);
  void touch(Cell& cell, const Attempt& attempt, bool shared);
  bool races(const Stamp& earlier, const Attempt& attempt) const;
  std::string describe(const Attempt& attempt) const;
  std::string describe_object(std::uintptr_t address) const;
  [[noreturn]] void fault(Fault kind, const char* what, const Attempt& attempt) const;
  [[noreturn]] void race(const Attempt& attempt, const Stamp& earlier, const char* earlier_kind) const;

  Execution& execution_ = Execution::instance();
  DeviceHeap& heap_ = DeviceHeap::instance();
  Shadow arena_;
  std::size_t arena_dirty_ = 0;

  std::uint32_t epoch_ = Stamp::kFirstEpoch, block_epoch_ = Stamp::kFirstEpoch, launch_epoch_ = Stamp::kFirstEpoch;
  using LaneClocks = std::array<std::array<std::uint32_t, kWarpLanes>, kWarpLanes>;
  std::array<LaneClocks, kMaxWarps> seen_{};  ///< seen_[w][a][b]: the latest clock of lane b that lane a is ordered after
  std::array<std::uint32_t, kMaxBlockThreads> clock_{};
  bool clocks_used_ = true;

  std::array<std::uint32_t, kMaxBlockThreads> fenced_{};  ///< the epoch of a thread's latest fence in this block
  bool fences_used_ = true;
  std::vector<Release> releases_;
  std::vector<Observed> observed_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> acquired_;

  std::array<Allocation*, 64> recent_{};  ///< the allocation that an instruction touched last
  std::uint64_t progress_switches_ = 0, progress_threads_ = 0, progress_accesses_ = 0;
  TrafficCounter traffic_;
};

}  // namespace innerloop::host_executor
