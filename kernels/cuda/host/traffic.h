// Memory traffic of executed kernels: what a GPU's load and store units would be asked for.
//
// Counted by the checked executor while Options::traffic is kOn. The k-th execution of one memory instruction by each lane of
// a warp is taken as one warp-wide request. Numbers are exact for kernels whose lanes run the same instructions; approximate
//   - where lanes diverge: the k-th executions of different paths may be taken together or apart
//   - where the host compiler splits, merges or removes accesses that nvcc does not: use ld4 and st4 for vectors, which count
//     as one instruction of 16 bytes
//   - for atomics on shared memory, counted as one wavefront for each lane that meets in a bank
// Local variables, kernel arguments and __constant__ data are not counted; caches are not modelled.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace innerloop::host_executor::traffic {

inline constexpr unsigned kSectorBytes = 32;

/// Global memory: a request of a warp fetches or writes whole sectors of 32 bytes.
struct Global {
  std::uint64_t requests = 0;      ///< warp instructions
  std::uint64_t sectors = 0;       ///< different sectors, summed over requests
  std::uint64_t bytes_asked = 0;   ///< bytes times lanes
  std::uint64_t bytes_useful = 0;  ///< different bytes, summed over requests

  double sectors_per_request() const { return requests == 0 ? 0.0 : static_cast<double>(sectors) / static_cast<double>(requests); }
  /// Share of the moved bytes that some lane asked for: 1 is perfect coalescing.
  double efficiency() const {
    return sectors == 0 ? 1.0 : static_cast<double>(bytes_useful) / static_cast<double>(sectors * kSectorBytes);
  }
};

/// Shared memory: 32 banks of 4 bytes. A wavefront serves each bank once, and all lanes that want the same word of a bank.
/// Requests of 8 bytes a lane are served by half-warps, of 16 bytes by quarter-warps.
struct Shared {
  std::uint64_t requests = 0;
  std::uint64_t wavefronts = 0;
  std::uint64_t conflicts = 0;  ///< wavefronts beyond those that the request's width needs
};

struct Report {
  std::uint64_t launches = 0, blocks = 0;
  std::uint64_t dynamic_shared_bytes = 0;  ///< the most that a launch asked for
  Global loads, stores, atomics;
  Shared shared_loads, shared_stores, shared_atomics;
};

/// The sum over all launches, finished since the last reset, of the kernels of that name: unqualified, with or without template
/// arguments ("scale_add", "bias<float>"), or the whole demangled name. All zero when none ran. Throws Error in a program
/// without the checked executor.
Report of(std::string_view kernel);

/// Every kernel that ran, by its name without namespaces and template arguments. Throws as of().
std::map<std::string, Report> by_kernel();

void reset();

}  // namespace innerloop::host_executor::traffic
