#include "tools/run_config.h"

#include <fmt/format.h>

#include "tools/messages.h"

namespace innerloop::tools {

void PresetOption::add_to(CLI::App& command) {
  command
      .add_option("--preset", name_,
                  fmt::format("start from a preset: {} (default: demo for synthetic data without --config)",
                              fmt::join(io::preset_names(), ", ")))
      ->type_name("P");
}

io::Config PresetOption::base(const std::string& data, const CommonOptions& common) const {
  if (given()) return io::preset(name_);
  if (common.has_config_file()) return {};
  if (data == "synthetic") {
    say("configuration: the demo preset, which suits synthetic data");
    return io::preset("demo");
  }
  const io::Config config;
  say(fmt::format("configuration: the defaults, {0}x{0} pixels, {1} channel(s); see --preset, --config and --set",
                  config.data.size, config.data.channels));
  return config;
}

std::vector<ShortForm> training_short_forms() {
  return {{"--ways", {"task.ways", "eval.ways"}}, {"--shots", {"task.shots"}},  {"--queries", {"task.queries"}},
          {"--steps", {"inner.steps"}},           {"--tasks", {"outer.tasks"}}, {"--iterations", {"outer.iterations"}}};
}

}  // namespace innerloop::tools
