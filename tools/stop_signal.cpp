#include "tools/stop_signal.h"

#include <signal.h>
#include <unistd.h>

#include <cstring>

namespace innerloop::tools {
namespace {

std::atomic<bool> stop_asked{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may only touch lock-free atomics");

extern "C" void on_stop_signal(int) {
  stop_asked.store(true);
  // write() is all that a handler may call. SA_RESETHAND has put the default back: the next signal ends the process.
  constexpr char kText[] = "\ninnerloop: stopping; press Ctrl-C again to quit at once\n";
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kText, sizeof kText - 1);
}

}  // namespace

const std::atomic<bool>& catch_stop_signals() {
  struct sigaction action;
  std::memset(&action, 0, sizeof action);
  action.sa_handler = on_stop_signal;
  action.sa_flags = SA_RESETHAND | SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  // A terminal that goes away; not where nohup has it ignored.
  struct sigaction hangup;
  if (sigaction(SIGHUP, nullptr, &hangup) == 0 && hangup.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, nullptr);
  return stop_asked;
}

}  // namespace innerloop::tools
