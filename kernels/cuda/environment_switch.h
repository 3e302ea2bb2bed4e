// A way of working that a process takes unless its environment says NAME=off, and that tests switch.
#pragma once

#include <atomic>
#include <cstdlib>
#include <string_view>

#include "tensor/error.h"

namespace innerloop::kernels::cuda {

class EnvironmentSwitch {
 public:
  /// Throws UsageError when the variable is neither on nor off.
  explicit EnvironmentSwitch(const char* name) : on_(asked(name)) {}
  bool on() const { return on_.load(std::memory_order_relaxed); }
  void set(bool on) { on_.store(on, std::memory_order_relaxed); }

 private:
  static bool asked(const char* name) {
    const char* const said = std::getenv(name);
    const std::string_view answer = said == nullptr || *said == '\0' ? "on" : said;
    if (answer != "on" && answer != "off") fail_usage("{}={}: use on or off", name, answer);
    return answer == "on";
  }

  std::atomic<bool> on_;
};

}  // namespace innerloop::kernels::cuda
