// Shadow: what the checker remembers about each granule of memory: the last write and two reads.
//
// Granules are 4 bytes until something smaller is accessed, then 2 or 1 for the whole allocation: most kernels touch words,
// and a byte-wise shadow would cost four times the time and memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/cuda/host/monitor.h"

namespace innerloop::host_executor {

/// Who accessed a granule, and when.
struct Stamp {
  static constexpr std::uint32_t kNever = 0, kByHost = 1, kFirstEpoch = 2;
  static constexpr std::uint32_t kOutside = 0xFFFFFFFFu;  ///< no memory at all: between shared variables

  std::uint32_t epoch = kNever;
  std::uint32_t who = 0;  ///< thread | atomic << 10 | started << 11 | clock << 12
  std::uint32_t instruction = 0;

  static constexpr std::uint32_t kMaxClock = (1u << 20) - 1;
  static std::uint32_t pack(unsigned thread, Access kind, std::uint32_t clock) {
    return thread | (kind == Access::kAtomic ? 1u << 10 : 0u) | (kind == Access::kStarted ? 1u << 11 : 0u) | clock << 12;
  }
  unsigned thread() const { return who & 1023u; }
  unsigned warp() const { return thread() >> 5; }
  unsigned lane() const { return who & 31u; }
  bool atomic() const { return (who >> 10 & 1u) != 0; }
  bool started() const { return (who >> 11 & 1u) != 0; }  ///< and not known to be there
  std::uint32_t clock() const { return who >> 12; }
};

struct Cell {
  Stamp write;
  std::array<Stamp, 2> reads;  ///< of two different warps, where there are two
};

class Shadow : public AllocationNotes {
 public:
  Shadow(std::size_t bytes, const Cell& initial) : cells_((bytes + 3) / 4, initial) {}

  /// The cells of [offset, offset + bytes), after refining to granules that fit the access.
  struct Range {
    Cell *first, *last;
    Cell* begin() const { return first; }
    Cell* end() const { return last; }
  };
  Range at(std::size_t offset, std::size_t bytes) {
    if (bytes < granule_ || offset % granule_ != 0) refine(bytes % 2 == 0 && offset % 2 == 0 ? 2 : 1);
    return cells(offset, bytes);
  }
  /// Sets whole cells; a partly covered one counts as covered.
  void assign(std::size_t offset, std::size_t bytes, const Cell& value) {
    for (Cell& cell : cells(offset, bytes)) cell = value;
  }

 private:
  Range cells(std::size_t offset, std::size_t bytes) {
    return {cells_.data() + offset / granule_, cells_.data() + (offset + bytes + granule_ - 1) / granule_};
  }
  void refine(unsigned granule) {
    if (granule >= granule_) return;
    const unsigned parts = granule_ / granule;
    std::vector<Cell> finer(cells_.size() * parts);
    for (std::size_t i = 0; i < finer.size(); ++i) finer[i] = cells_[i / parts];
    cells_.swap(finer);
    granule_ = granule;
  }

  std::vector<Cell> cells_;
  unsigned granule_ = 4;
};

}  // namespace innerloop::host_executor
