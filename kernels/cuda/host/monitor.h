// Monitor: what watches a launch. The plain executor has none; the checked executor installs its checker here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace innerloop::host_executor {

/// kStarted: an asynchronous write that may happen from now on; the kWrite follows where it is there for certain.
enum class Access : std::uint8_t { kRead, kWrite, kAtomic, kStarted };

/// What a monitor keeps about one device allocation.
struct AllocationNotes {
  virtual ~AllocationNotes() = default;
};

class Monitor {
 public:
  virtual ~Monitor() = default;

  virtual void launch_begins(const void* kernel) = 0;
  virtual void block_begins() = 0;
  virtual void block_ended() = 0;
  virtual void launch_ended() = 0;
  virtual void shared_allocated(const char* memory, std::size_t bytes) = 0;

  /// All threads of the block passed a barrier.
  virtual void barrier_passed() = 0;
  /// `lanes` of `warp` passed __syncwarp together.
  virtual void warp_synchronised(unsigned warp, unsigned lanes) = 0;
  /// The running thread executed __threadfence.
  virtual void fence() = 0;

  /// The running thread touches [address, address + bytes). Throws KernelError for a fault.
  virtual void access(std::uintptr_t address, std::size_t bytes, Access kind, std::uintptr_t return_address) = 0;
  /// The running thread executes one instruction that asks for these bytes; only counted, never checked.
  virtual void count(std::uintptr_t address, std::size_t bytes, Access kind, std::uintptr_t return_address) = 0;

  virtual std::unique_ptr<AllocationNotes> notes_for(std::size_t bytes) = 0;
  /// The host (a copy or a fill) wrote `bytes` at `offset` of an allocation.
  virtual void host_wrote(AllocationNotes& notes, std::size_t offset, std::size_t bytes) = 0;
};

inline Monitor* monitor = nullptr;

}  // namespace innerloop::host_executor
