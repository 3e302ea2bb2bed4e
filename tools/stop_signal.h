// Ctrl-C that saves: the first SIGINT, SIGTERM or SIGHUP asks the work to stop, the second ends the process at once.
#pragma once

#include <atomic>

namespace innerloop::tools {

/// From here on SIGINT, SIGTERM and SIGHUP (unless it is ignored) set the returned flag. The flag lives as long as the process.
const std::atomic<bool>& catch_stop_signals();

}  // namespace innerloop::tools
