// How much memory this process may use.
#pragma once

#include <cstdint>

namespace innerloop {

/// The limit that a container sets on this process; 0 when there is none.
std::uint64_t container_memory_limit();

/// Bytes of the machine's memory, or of the container's where that is less; 0 when unknown. The same throughout a process.
std::uint64_t host_memory_bytes();

}  // namespace innerloop
