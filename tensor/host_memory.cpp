#include "tensor/host_memory.h"

#include <algorithm>
#include <fstream>

#if defined(__unix__)
#include <unistd.h>
#endif

namespace innerloop {
namespace {

std::uint64_t physical_memory() {
#if defined(__unix__)
  const long pages = sysconf(_SC_PHYS_PAGES), bytes = sysconf(_SC_PAGE_SIZE);
  if (pages > 0 && bytes > 0) return static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(bytes);
#endif
  return 0;
}

}  // namespace

std::uint64_t container_memory_limit() {
  for (const char* path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::ifstream file(path);
    std::uint64_t bytes = 0;
    // Version 1 writes "no limit" as a number near 2^63.
    if (file >> bytes && bytes < (std::uint64_t{1} << 60)) return bytes;
  }
  return 0;
}

std::uint64_t host_memory_bytes() {
  static const std::uint64_t bytes = [] {
    const std::uint64_t machine = physical_memory(), limit = container_memory_limit();
    return limit == 0 ? machine : machine == 0 ? limit : std::min(machine, limit);
  }();
  return bytes;
}

}  // namespace innerloop
