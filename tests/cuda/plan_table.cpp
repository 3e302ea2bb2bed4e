#include "plan_table.h"

#include <cudnn_graph.h>
#include <fmt/core.h>

#include "kernels/cuda/cudnn/conv_plan.h"
#include "kernels/cuda/cudnn/device_profiles.h"
#include "preset_convs.h"

namespace innerloop::kernels::cudnn {
namespace {

std::string bytes_text(std::int64_t bytes) {
  if (bytes == 0) return "0";
  if (bytes < 1024) return fmt::format("{} B", bytes);
  if (bytes < (std::int64_t{1} << 20)) return fmt::format("{:.0f} KB", static_cast<double>(bytes) / 1024);
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / (1 << 20));
}

/// "28, 70 KB" and the notes where there are any.
std::string cell(const ConvProblem& problem, const PlanOptions& options, const Device& device) {
  const auto plans = find_plans(problem, options, device, 1);
  if (plans.empty()) return "none";
  const ConvPlan& plan = *plans.front();
  const std::string notes = plan.engine().numerics.empty() ? "" : ", " + numerics_text(plan.engine());
  return fmt::format("{}, {}{}", plan.engine().index, bytes_text(plan.workspace_bytes()), notes);
}

constexpr const char* kIntroduction = R"(# cuDNN's plans for the presets' convolutions

Written by `cudnn_plans_page` (built with the tests where cuDNN is installed); a test compares it with what the library
says. Made without a GPU, from an H100's public specifications, by {}: no line here is a measurement.

A cell is the first plan of the heuristics that is allowed: engine, workspace, and cuDNN's notes on its numerics. All
are deterministic. The columns:

* **one task**: float32 without TF32; our layout has the task axis outermost, so this plan is executed once a task
* **+=**: the same, added to what the output holds (the second operand pair of a dual convolution)
* **shared filter**: all tasks as images of one execution, where one filter serves them all
* **groups**: all tasks as groups of one execution, which our layout would have to be copied for; for comparison
* **TF32**: one task, where TF32 is asked for
* **float64**: one task

The input gradient of a first layer is listed though training never asks for it.
)";

}  // namespace

std::string cudnn_version_text() {
  const std::size_t v = cudnnGetVersion();
  return fmt::format("cuDNN {}.{}.{}", v / 10000, v / 100 % 100, v % 100);
}

std::string plan_page() {
  const Device device(to_json(kH100));
  const PlanOptions strict, tf32{.precision = cuda::Precision::kTf32};
  std::string page = fmt::format(fmt::runtime(kIntroduction), cudnn_version_text());
  std::string preset;
  for (const PresetConv& z : preset_convs()) {
    if (z.preset != preset) {
      preset = z.preset;
      page += fmt::format("\n## {}: {} tasks of {} images\n\n", preset, z.tasks, z.n);
      page += "| layer | direction | one task | += | shared filter | groups | TF32 | float64 |\n";
      page += "| --- | --- | --- | --- | --- | --- | --- | --- |\n";
    }
    for (const ConvDirection direction : kConvDirections) {
      const ConvProblem one = z.problem(direction, DType::kF32, TaskAxis::kOneTask);
      ConvProblem added = one;
      added.accumulate = Accumulate::kYes;
      page += fmt::format(
          "| {}: {}x{}x{} to {}x{}x{}, pad {}+{} | {} | {} | {} | {} | {} | {} | {} |\n", z.layer, z.side, z.side, z.c,
          z.out, z.out, z.k, one.pad_top, one.pad_bottom, name_of(direction), cell(one, strict, device),
          cell(added, strict, device), cell(z.problem(direction, DType::kF32, TaskAxis::kSharedFilter), strict, device),
          cell(z.problem(direction, DType::kF32, TaskAxis::kGroups), strict, device), cell(one, tf32, device),
          cell(z.problem(direction, DType::kF64, TaskAxis::kOneTask), strict, device));
    }
  }
  return page;
}

}  // namespace innerloop::kernels::cudnn
