// SharedMemory: the shared memory of the running block.
//
// Each variable gets a piece of one arena with a redzone on both sides. At a block's start its bytes are 0xFF (NaN as a
// floating-point number, -1 as an integer), so that use before writing shows; redzones are checked when the block ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace innerloop::host_executor {

inline constexpr std::size_t kMaxDynamicShared = 227 * 1024;  ///< what an sm_90 block may have in all
inline constexpr std::size_t kMaxStaticShared = 48 * 1024;
inline constexpr std::size_t kMaxUnaskedShared = 48 * 1024;  ///< of both kinds together, for a launch that has not asked for more
inline constexpr std::size_t kRedzoneBytes = 64;
/// Redzones hold this word, lowest byte first: a NaN to a kernel that reads past an end, and no value that kernels write.
inline constexpr std::uint32_t kRedzoneWord = 0xFFFFA5A5u;

void fill_redzone(char* memory, std::size_t bytes);
/// The index of the first byte that no longer holds its pattern, `bytes` when all do. `memory` is 4-byte aligned.
std::size_t first_changed(const char* memory, std::size_t bytes);

/// One IL_SHARED variable: a static object in the kernel (one for each template instance).
struct SharedVariable {
  const char* name;
  std::size_t bytes;
  std::size_t alignment;
  std::uint64_t block = 0;  ///< serial number of the block that `memory` belongs to
  char* memory = nullptr;
  SharedVariable* next = nullptr;  ///< of the same block
};

class SharedMemory {
 public:
  SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  void begin_launch(std::size_t dynamic_bytes, bool asked_for_more);
  void begin_block();
  /// Throws KernelError when a redzone was written to.
  void end_block();

  char* get(SharedVariable& variable) { return variable.block == block_ ? variable.memory : place(variable); }
  char* dynamic();
  /// Exact size as asked at the launch.
  std::size_t dynamic_bytes() const { return dynamic_bytes_; }

  std::uint64_t block() const { return block_; }  ///< serial number of the running block; never 0 while one runs
  const char* arena() const { return arena_; }
  std::size_t arena_bytes() const { return kArenaBytes; }
  std::size_t used() const { return used_; }
  bool holds(std::uintptr_t address) const { return address - reinterpret_cast<std::uintptr_t>(arena_) < kArenaBytes; }
  /// "shared s (1024 bytes) at byte 12".
  std::string describe(std::uintptr_t address) const;

 private:
  static constexpr std::size_t kArenaBytes = 384 * 1024;

  char* place(SharedVariable& variable);
  char* take(std::size_t bytes, std::size_t alignment);
  void check_redzone(const char* name, const char* memory, std::size_t bytes) const;

  char* arena_;
  std::size_t used_ = 0, static_bytes_ = 0, dynamic_bytes_ = 0, most_bytes_ = kMaxUnaskedShared;
  std::uint64_t block_ = 0;
  SharedVariable* variables_ = nullptr;
  char* dynamic_ = nullptr;
};

}  // namespace innerloop::host_executor
