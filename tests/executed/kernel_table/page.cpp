#include "page.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "tests/executed/step_launches.h"

namespace innerloop::executed {
namespace {

using host_executor::LaunchCounts;

constexpr std::string_view kIntroduction = R"(# What the kernels cost

Written by the target `kernels_page` (`ninja kernels_page`). No line here is a measurement on a GPU and none is a time:
launches and traffic are counted by the host executor, which runs the kernels' own source on a CPU; resources are what
ptxas says. Three tests hold the page's numbers: `LaunchBudget.*`, `kernel_table.traffic` and `KernelResources.*`.

)";

constexpr std::string_view kLaunches = R"(## Launches of a meta-step

Nodes of the recorded graph of one whole meta-step: draw and augment, K inner steps, query gradient, K Hessian-vector
products, mean over tasks, optimizer, figures. With our own convolutions, at the sizes of each preset (500x500: 2 tasks
in place of 32). The count depends on sizes a little: both gradients of a small convolution share a launch, as it does with its norm, and a norm over many
pixels takes two kernels (sums with their join, the outputs) in place of one. The goal of the
design was `13 + 20 K` launches: 33 for K = 1, 113 for K = 5.

)";

constexpr std::string_view kPlaces = R"(
Where the launches of `omniglot` (K = 1) are asked for:

)";

constexpr std::string_view kTraffic = R"(
## Traffic

One call of each op in float32. `needed`: bytes that the contract cannot do without, each operand read once and the output
written once; for norms with sums, whose outputs need them first, operands count twice. `moved`: bytes of all sectors of 32
that the kernels ask for, before any cache; what several blocks read counts several times, so a convolution's ratio is the
reuse that L2 has to supply. `conflicts`: wavefronts of shared memory beyond those that its width needs. `shared`: dynamic
shared memory of a block in bytes. Few tasks and images, since each thread is executed; W1: 28x28x1, 64 filters; W2:
84x84x3, 32 filters; W3: a crop of 96x96 of 500x500x1, filters 16, 32, 64, 64. `2 x 1 of` are tasks and images.

`kernel_table check docs/kernels.md` fails when a row's bytes moved or conflicts grow by more than 2 %.

)";

constexpr std::string_view kRowHead =
    R"(| op | shape | kernels | launches | needed | moved | ratio | conflicts | shared |
| --- | --- | --- | --: | --: | --: | --: | --: | --: |
)";

constexpr std::string_view kResources = R"(
## Resources

By {}, for sm_80 / sm_90. Registers and local memory (`stack`: arrays that found no registers, and spills; `spilled`: bytes
stored) of a thread, static shared memory of a block in bytes. First all instances of a kernel together, the least and the
most; then each float32 instance of the convolutions and the norms. A hot kernel must have no stack in float32; a test holds it to that.

)";

std::string launch_table() {
  std::vector<std::string> names;
  std::vector<LaunchCounts> counts;
  std::set<std::string> kernels;
  for (const StepCase& c : step_cases()) {
    names.push_back(fmt::format("{} (K = {})", c.name.substr(0, c.name.find(',')), c.config.inner.steps));
    counts.push_back(step_launches(c.config));
    for (const auto& [kernel, n] : counts.back()) kernels.insert(kernel);
  }
  std::string text = fmt::format("| kernel | {} |\n| --- |", fmt::join(names, " | "));
  for (std::size_t i = 0; i < names.size(); ++i) text += " --: |";
  text += "\n";
  for (const std::string& kernel : kernels) {
    text += fmt::format("| {} |", kernel);
    for (const LaunchCounts& c : counts) text += fmt::format(" {} |", c.contains(kernel) ? c.at(kernel) : 0);
    text += "\n";
  }
  text += "| **all** |";
  for (const LaunchCounts& c : counts) text += fmt::format(" **{}** |", total(c));
  return text + "\n";
}

std::string place_table() {
  const auto cases = step_cases();
  const auto c = std::find_if(cases.begin(), cases.end(), [](const StepCase& s) { return s.name == "omniglot"; });
  std::map<std::pair<std::string, std::string>, LaunchCounts> ops;
  for (const auto& [place, n] : step_launches_by_place(c->config)) ops[{place.phase, place.op}][place.kernel] += n;
  std::vector<std::string> phases = step_phases();
  phases.emplace_back("between them");
  std::string text = "| phase | op | launches | kernels |\n| --- | --- | --: | --- |\n";
  for (const std::string& phase : phases) {
    std::uint64_t sum = 0;
    for (const auto& [where, kernels] : ops) {
      if (where.first != phase) continue;
      std::vector<std::string> parts;
      for (const auto& [kernel, n] : kernels) parts.push_back(fmt::format("{} {}", n, kernel));
      text += fmt::format("| {} | {} | {} | {} |\n", phase, where.second, total(kernels), fmt::join(parts, ", "));
      sum += total(kernels);
    }
    text += fmt::format("| **{}** | | **{}** | |\n", phase, sum);
  }
  return text;
}

std::string traffic_line(const TrafficRow& r) {
  return fmt::format("| {} | {} | {} | {} | {} | {} | {:.2f} | {} | {} |\n", r.op, r.shape, r.kernels, r.launches,
                     r.needed, r.moved, r.ratio(), r.conflicts, r.shared);
}

/// One number of some instances on one architecture, "32" or "32-64".
std::string span(const std::vector<const KernelResources*>& all, const std::string& architecture,
                 int KernelResources::*field) {
  int least = 0, most = -1;
  for (const KernelResources* k : all) {
    if (k->architecture != architecture) continue;
    least = most < 0 ? k->*field : std::min(least, k->*field);
    most = std::max(most, k->*field);
  }
  return most < 0 ? "none" : least == most ? fmt::format("{}", most) : fmt::format("{}-{}", least, most);
}

std::string resource_line(const std::string& name, const std::vector<const KernelResources*>& all, bool count) {
  const auto both = [&](int KernelResources::*field) {
    return fmt::format("{} / {}", span(all, "sm_80", field), span(all, "sm_90", field));
  };
  const auto instances =
      std::count_if(all.begin(), all.end(), [](const auto* k) { return k->architecture == "sm_90"; });
  return fmt::format("| {}{} | {} | {} | {} | {} |\n", name, count ? fmt::format(" | {}", instances) : "",
                     both(&KernelResources::registers), both(&KernelResources::shared), both(&KernelResources::stack),
                     both(&KernelResources::spill_stores));
}

std::string resource_tables(const std::vector<KernelResources>& resources) {
  std::map<std::string, std::vector<const KernelResources*>> kernels, instances;
  for (const KernelResources& k : resources) {
    kernels[k.name].push_back(&k);
    if (is_hot(k) && (k.name.starts_with("conv") || k.name.starts_with("norm"))) instances[k.instance].push_back(&k);
  }
  std::string text =
      "| kernel | instances | registers | shared | stack | spilled |\n| --- | --: | --: | --: | --: | --: |\n";
  for (const auto& [name, all] : kernels) text += resource_line(name, all, true);
  text += "\n| instance | registers | shared | stack | spilled |\n| --- | --: | --: | --: | --: |\n";
  for (const auto& [name, all] : instances) text += resource_line(fmt::format("`{}`", name), all, false);
  return text;
}

std::vector<std::string> cells(std::string_view line) {
  std::vector<std::string> out;
  for (std::size_t at = 1; at < line.size();) {
    const std::size_t bar = std::min(line.find('|', at), line.size());
    std::string_view cell = line.substr(at, bar - at);
    while (cell.starts_with(' ')) cell.remove_prefix(1);
    while (cell.ends_with(' ')) cell.remove_suffix(1);
    out.emplace_back(cell);
    at = bar + 1;
  }
  return out;
}

struct Counted {
  std::uint64_t moved = 0, conflicts = 0;
};
using Rows = std::map<std::pair<std::string, std::string>, Counted>;

Rows rows_of(const std::string& page) {
  Rows rows;
  const std::size_t begin = page.find(kRowHead);
  IL_CHECK(begin != std::string::npos, "the page has no table of traffic; write it anew: ninja kernels_page");
  for (std::size_t at = begin + kRowHead.size(); at < page.size() && page[at] == '|';) {
    const std::size_t end = page.find('\n', at);
    const auto row = cells(std::string_view(page).substr(at, end - at));
    IL_CHECK(row.size() == 9, "a row of the table of traffic has {} cells: {}", row.size(), page.substr(at, end - at));
    rows[{row[0], row[1]}] = {std::stoull(row[5]), std::stoull(row[7])};
    at = end + 1;
  }
  return rows;
}

}  // namespace

std::string kernel_page(const std::vector<TrafficRow>& traffic, const std::vector<KernelResources>& resources,
                        const std::string& compiler) {
  std::string page(kIntroduction);
  page += kLaunches;
  page += launch_table();
  page += kPlaces;
  page += place_table();
  page += kTraffic;
  page += kRowHead;
  for (const TrafficRow& row : traffic) page += traffic_line(row);
  page += fmt::format(fmt::runtime(kResources), compiler);
  return page + resource_tables(resources);
}

std::vector<std::string> compare_traffic(const std::string& page, const std::vector<TrafficRow>& traffic) {
  constexpr double kGrowth = 1.02;
  Rows known = rows_of(page);
  std::vector<std::string> worse;
  for (const TrafficRow& r : traffic) {
    const auto at = known.find({r.op, r.shape});
    if (at == known.end()) {
      worse.push_back(fmt::format("{}, {}: not on the page", r.op, r.shape));
      continue;
    }
    const auto grew = [&](const char* what, std::uint64_t before, std::uint64_t now) {
      if (static_cast<double>(now) > kGrowth * static_cast<double>(before))
        worse.push_back(fmt::format("{}, {} ({}): {} {}, before {}", r.op, r.shape, r.kernels, now, what, before));
    };
    grew("bytes moved", at->second.moved, r.moved);
    grew("bank conflicts", at->second.conflicts, r.conflicts);
    known.erase(at);
  }
  for (const auto& [key, counted] : known)
    worse.push_back(fmt::format("{}, {}: on the page and no longer counted", key.first, key.second));
  return worse;
}

}  // namespace innerloop::executed
