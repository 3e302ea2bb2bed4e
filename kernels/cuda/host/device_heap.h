// DeviceHeap: device memory, as a range of host addresses that belongs to nothing else.
//
// Allocations start on pages and end anywhere. A fresh one holds 0xFF bytes (NaN, -1). Redzones lie before and behind it and
// are checked after each launch. Freed ranges are not handed out again until the whole range has been used up, so that a use
// after free is recognised as one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kernels/cuda/host/monitor.h"

namespace innerloop::host_executor {

struct Allocation {
  enum class State : std::uint8_t { kLive, kFreed };
  std::uintptr_t begin = 0;
  std::size_t bytes = 0;
  std::size_t reserved = 0;  ///< bytes from the start of the range, redzones and rounding included
  State state = State::kLive;
  std::unique_ptr<AllocationNotes> notes;
  std::size_t live_index = 0;  ///< its place in the heap's list of live allocations

  char* data() const { return reinterpret_cast<char*>(begin); }
  bool holds(std::uintptr_t address) const { return address - begin < bytes; }
};

class DeviceHeap {
 public:
  static DeviceHeap& instance();

  /// Null when live allocations would exceed the device's memory.
  char* allocate(std::size_t bytes);
  /// False when `memory` is not the start of a live allocation.
  bool release(void* memory);
  /// The allocation nearest below `address` whose range (redzones included) holds it, live or freed; else null.
  Allocation* find(std::uintptr_t address);
  /// Whether [memory, memory + bytes) lies in one live allocation.
  bool holds(const void* memory, std::size_t bytes);
  bool in_range(std::uintptr_t address) const { return address - base_ < kRangeBytes; }
  /// The host wrote there: a copy or a fill.
  void host_wrote(void* memory, std::size_t bytes);

  /// Throws KernelError when bytes around an allocation were written to; repairs them first.
  void check_redzones();
  void repair_redzones();

  std::size_t live_bytes() const { return live_bytes_; }
  std::size_t live_allocations() const { return live_.size(); }
  static constexpr std::size_t kDeviceBytes = std::size_t{8} << 30;

  /// Opens device memory to this process while it lives, where Options::host_access protects it.
  class AccessScope {
   public:
    AccessScope();
    ~AccessScope();
    AccessScope(const AccessScope&) = delete;
    AccessScope& operator=(const AccessScope&) = delete;
  };

 private:
  static constexpr std::size_t kRangeBytes = std::size_t{64} << 30;
  static constexpr std::size_t kPage = 4096;
  static constexpr std::size_t kFront = kPage;  ///< bytes before an allocation; the redzone is their end

  DeviceHeap();
  std::uintptr_t take_range(std::size_t reserved);
  void set_protection(int protection);

  std::uintptr_t base_ = 0;
  std::size_t used_ = 0, live_bytes_ = 0;
  std::map<std::uintptr_t, Allocation> allocations_;  // by begin, freed ones too
  std::vector<Allocation*> live_;  // what every launch checks: a program frees far more than it holds
  int open_scopes_ = 0;
  bool protected_ = false;
};

}  // namespace innerloop::host_executor
