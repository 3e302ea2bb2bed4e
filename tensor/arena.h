// Arena: the one allocator of tensor memory, on the host or on a device. It caches freed blocks by size and counts every byte.
//
// Statistics are exact: `current` is the sum of the sizes asked for by live buffers (rounded to kAlignment), `peak` its
// maximum since the last reset, and each named phase keeps the peak seen while it was open.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace innerloop {

class Device;
struct ArenaStats;

/// Thread-safe. Outlives its buffers by shared ownership.
class Arena : public std::enable_shared_from_this<Arena> {
 public:
  static constexpr std::size_t kAlignment = 64;
  /// On a device, where wide loads and cuDNN want more.
  static constexpr std::size_t kDeviceAlignment = 256;

  /// An arena of host memory, or of `device`'s.
  static std::shared_ptr<Arena> create(std::shared_ptr<Device> device = nullptr);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// `bytes` of uninitialised memory, aligned to kAlignment (kDeviceAlignment), returned to the cache when the last owner lets go.
  /// Throws Error, with the sizes (on a device: what is free, and the peaks of the phases) in its text, when the system has no
  /// more.
  std::shared_ptr<void> allocate(std::size_t bytes);

  /// The device whose memory it is; nullptr for the host's.
  Device* device() const { return device_.get(); }

  ArenaStats stats() const;  ///< tensor/arena_stats.h
  /// Sets `peak` to `current` and forgets the phases.
  void reset_peak();
  /// Gives the cached blocks back to the system.
  void trim();

  /// Names what the bytes are for while it lives; phases may nest, each sees its own peak.
  class Phase {
   public:
    Phase(Arena& arena, std::string name);
    ~Phase();
    Phase(const Phase&) = delete;
    Phase& operator=(const Phase&) = delete;

   private:
    Arena& arena_;
    std::string name_;
  };

 private:
  struct State;
  explicit Arena(std::shared_ptr<Device> device);
  std::string no_memory(std::size_t bytes) const;
  void* system_allocate(std::size_t bytes);
  void system_release(void* block) noexcept;
  void release(void* block, std::size_t bytes);

  const std::shared_ptr<Device> device_;
  const std::unique_ptr<State> state_;
};

}  // namespace innerloop
