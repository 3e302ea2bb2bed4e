// help: what no single command's --help can say: every key, the presets, and the help of a command by its name.
#include <CLI/App.hpp>
#include <fmt/core.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/config.h"
#include "io/nearest.h"
#include "tensor/error.h"
#include "tools/command.h"
#include "tools/help_keys.h"

namespace innerloop::tools {

void print_keys() {
  fmt::print(
      "Keys of the configuration. A TOML file for --config has one [section] a table below; --set overrides one "
      "key.\n");
  std::string section;
  for (const io::KeyDoc& doc : io::key_docs()) {
    const std::string its_section = doc.key.substr(0, doc.key.find('.'));
    if (its_section != section) fmt::print("\n[{}]\n", its_section);
    section = its_section;
    fmt::print("  {}\n      {}\n      {}; default {}\n", doc.key, doc.meaning, doc.type, doc.default_value);
  }
}

namespace {

void print_presets() {
  fmt::print(
      "Presets for --preset. Each is a whole configuration; 'innerloop help preset=NAME' prints one as TOML.\n\n");
  for (const std::string& name : io::preset_names()) fmt::print("  {}\n", name);
}

int run(const CLI::App& app, const std::string& topic) {
  constexpr std::string_view kPreset = "preset=";
  if (topic.empty()) {
    fmt::print("{}", app.help());
  } else if (topic == "keys") {
    print_keys();
  } else if (topic == "presets") {
    print_presets();
  } else if (topic.starts_with(kPreset)) {
    fmt::print("{}", io::to_toml(io::preset(topic.substr(kPreset.size()))));
  } else {
    std::vector<std::string> names{"keys", "presets"};
    for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
      if (sub->get_name() == topic) {
        fmt::print("{}", sub->help());
        return kDone;
      }
      names.push_back(sub->get_name());
    }
    const std::vector<std::string_view> views(names.begin(), names.end());
    fail_usage("help: unknown topic '{}'{}; topics are keys, presets, and the commands", topic,
               io::suggestion(topic, views));
  }
  return kDone;
}

}  // namespace

void add_help(CommandLine& line) {
  auto topic = std::make_shared<std::string>();
  CLI::App& command =
      line.add(line.app, "help", "Explains a topic.",
               "A topic is a command, 'keys' (every key of the configuration), 'presets', or 'preset=NAME' (one "
               "preset as TOML, a good start for a file of your own).",
               "  innerloop help keys");
  command.add_option("topic", *topic, "what to explain")->type_name("TOPIC");
  line.on_run(command, [&app = line.app, topic] { return run(app, *topic); });
}

}  // namespace innerloop::tools
