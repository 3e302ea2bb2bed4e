// How often each kernel ran: what a program's steps are made of.
//
// Counted when a launch's turn comes, so a recorded launch counts once a replay. With KernelWork::kSkip (options.h) a
// program can be counted at sizes that would take hours to run.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace innerloop::host_executor {

/// By the kernel's name without namespaces and template arguments, since the last reset. Asynchronous copies and fills
/// of the runtime are counted as "copy" and "fill".
using LaunchCounts = std::map<std::string, std::uint64_t>;
LaunchCounts launch_counts();
void reset_launch_counts();

// For the executor.
void count_launch(const void* kernel);
void count_copy();
void count_fill();

}  // namespace innerloop::host_executor
