#include "tools/run_config.h"

#include <fmt/format.h>

namespace innerloop::tools {
namespace {

bool is_demo(const std::string& data, const CommonOptions& common) {
  return data == "synthetic" && !common.has_config_file();
}

}  // namespace

void PresetOption::add_to(CLI::App& command) {
  command
      .add_option("--preset", name_,
                  fmt::format("start from a preset: {} (default: demo for synthetic data without --config)",
                              fmt::join(io::preset_names(), ", ")))
      ->type_name("P");
}

io::Config PresetOption::base(const std::string& data, const CommonOptions& common) const {
  if (given()) return io::preset(name_);
  return is_demo(data, common) ? io::preset("demo") : io::Config();
}

std::string PresetOption::origin(const std::string& data, const CommonOptions& common) const {
  if (given()) return fmt::format("configuration: the {} preset", name_);
  if (is_demo(data, common)) return "configuration: the demo preset, which suits synthetic data";
  if (common.has_config_file()) return "configuration: the defaults under the file given";
  return "configuration: the defaults; 'innerloop help presets' names others";
}

std::vector<ShortForm> training_short_forms() {
  return {{"--ways", {"task.ways", "eval.ways"}}, {"--shots", {"task.shots"}},  {"--queries", {"task.queries"}},
          {"--steps", {"inner.steps"}},           {"--tasks", {"outer.tasks"}}, {"--iterations", {"outer.iterations", "supervised.iterations"}}};
}

}  // namespace innerloop::tools
