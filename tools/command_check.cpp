// check: the truth checks on this machine.
#include <fmt/core.h>

#include <CLI/App.hpp>
#include <chrono>
#include <memory>

#include "meta/truth_checks.h"
#include "tools/command.h"
#include "tools/common_options.h"
#include "tools/messages.h"

namespace innerloop::tools {
namespace {

int run(const CommonOptions& common) {
  Context context = common.make_context(common.run());
  ContextScope scope(context);
  const auto start = std::chrono::steady_clock::now();
  const std::vector<meta::TruthCheck> checks = meta::run_truth_checks([&](const meta::TruthCheck& check) {
    if (!common.json())
      fmt::print("{}  {:<60} {:.2e}  (at most {:.0e})\n", check.pass ? "ok  " : "FAIL", check.name, check.value,
                 check.bound);
  });
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  // Why there are no lines of a device among the checks; none where there are.
  const std::string gpu = context.device() != nullptr ? "" : no_gpu_reason();
  std::size_t failed = 0;
  Json list = Json::array();
  for (const meta::TruthCheck& check : checks) {
    failed += check.pass ? 0 : 1;
    list.push_back({{"name", check.name}, {"value", check.value}, {"bound", check.bound}, {"pass", check.pass}});
  }
  if (common.json()) {
    print_json({{"pass", failed == 0},
                {"failed", failed},
                {"device", device_name(context)},
                {"target", name_of(context.target())},
                {"threads", context.threads().threads()},
                {"seconds", seconds},
                {"gpu", gpu.empty() ? Json() : Json(gpu)},
                {"checks", std::move(list)}});
  } else {
    fmt::print("{} of {} checks hold, {:.1f} s{}\n", checks.size() - failed, checks.size(), seconds,
               gpu.empty() ? "" : "; device against CPU: not checked, " + gpu);
  }
  return failed == 0 ? kDone : kFailed;
}

}  // namespace

void add_check(CommandLine& line) {
  auto common = std::make_shared<CommonOptions>();
  CLI::App& command =
      line.add(line.app, "check", "Runs the truth checks on this machine.",
               "The exact meta-gradient against finite differences in float64, fused kernels against plain ones, "
               "one thread against two, each CPU instruction set against the portable kernels, a GPU (where it is the device, or "
               "auto finds one) against the CPU. Takes seconds; exit "
               "code 1 when one does not hold. Its problems are fixed, so --seed changes nothing here.",
               "  innerloop check --json");
  common->add_to(command);
  line.on_run(command, [common] { return run(*common); });
}

}  // namespace innerloop::tools
