// What an arena has counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace innerloop {

struct ArenaStats {
  std::size_t current = 0;               ///< bytes in live buffers
  std::size_t peak = 0;                  ///< largest `current` since reset_peak()
  std::size_t cached = 0;                ///< bytes kept for reuse
  std::uint64_t allocations = 0;         ///< buffers handed out, ever
  std::uint64_t system_allocations = 0;  ///< of those, how many had to ask the system
  std::map<std::string, std::size_t> phase_peak;
};

}  // namespace innerloop
