#include "kernels/cuda/host/options.h"

#include <charconv>
#include <cstdlib>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "tensor/error.h"

namespace innerloop::host_executor {
namespace {

template <class Enum>
void read_choice(const char* variable, Enum& value, std::initializer_list<std::pair<std::string_view, Enum>> choices) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return;
  std::string known;
  for (const auto& [name, choice] : choices) {
    if (name == text) {
      value = choice;
      return;
    }
    known += known.empty() ? "" : ", ";
    known += name;
  }
  fail_usage("{}={}: unknown value; use one of: {}", variable, text, known);
}

template <class Number>
void read_number(const char* variable, Number& value) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return;
  const std::string_view view(text);
  const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), value);
  if (error != std::errc() || end != view.data() + view.size()) {
    fail_usage("{}={}: not a number in range; give a whole number from 0 on", variable, text);
  }
}

Options from_environment() {
  Options result;
  read_choice("IL_EXECUTOR_ORDER", result.order,
              {{"forward", ThreadOrder::kForward},
               {"reverse", ThreadOrder::kReverse},
               {"random", ThreadOrder::kRandom},
               {"eager", ThreadOrder::kEager}});
  read_choice("IL_EXECUTOR_STRICT", result.strictness,
              {{"on", Strictness::kStrict}, {"off", Strictness::kPermissive}});
  read_choice("IL_EXECUTOR_STREAMS", result.streams,
              {{"immediate", StreamOrder::kImmediate},
               {"queued", StreamOrder::kQueued},
               {"shuffled", StreamOrder::kShuffled}});
  read_choice("IL_EXECUTOR_PROTECT", result.host_access,
              {{"on", HostAccess::kProtected}, {"off", HostAccess::kAllowed}});
  read_choice("IL_EXECUTOR_TRAFFIC", result.traffic, {{"on", TrafficCount::kOn}, {"off", TrafficCount::kOff}});
  read_choice("IL_EXECUTOR_KERNELS", result.kernels, {{"run", KernelWork::kRun}, {"skip", KernelWork::kSkip}});
  read_number("IL_EXECUTOR_SEED", result.seed);
  read_number("IL_EXECUTOR_PREEMPT", result.preempt_every);
  read_number("IL_EXECUTOR_PROGRESS_LIMIT", result.progress_limit);
  return result;
}

}  // namespace

Options& options() {
  static Options current = from_environment();
  return current;
}

}  // namespace innerloop::host_executor
