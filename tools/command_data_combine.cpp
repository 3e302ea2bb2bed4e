// data combine: one experimental set from several sources.
#include <fmt/core.h>

#include <CLI/App.hpp>
#include <filesystem>
#include <map>
#include <memory>

#include "io/combine.h"
#include "tensor/error.h"
#include "tools/command_data.h"
#include "tools/common_options.h"
#include "tools/load_data.h"
#include "tools/messages.h"

namespace innerloop::tools {
namespace {

struct CombineCall {
  CommonOptions common;
  std::string recipe, out;
  std::vector<std::string> sources;
};

std::map<std::string, std::string> source_paths(const std::vector<std::string>& given) {
  std::map<std::string, std::string> paths;
  for (const std::string& text : given) {
    const std::size_t at = text.find('=');
    if (at == 0 || at == std::string::npos || at + 1 == text.size())
      fail_usage("--source {}: NAME=FOLDER is needed", text);
    if (!paths.emplace(text.substr(0, at), text.substr(at + 1)).second)
      fail_usage("--source {}: '{}' was given twice", text, text.substr(0, at));
  }
  return paths;
}

/// A file where the name has an extension and is no folder; else a folder.
bool is_file_name(const std::string& out) {
  return std::filesystem::path(out).has_extension() && !std::filesystem::is_directory(out) && !out.ends_with('/');
}

/// The keys that the command starts from: out of a configuration's range, which tells those that nobody gave.
io::Config nothing_given() {
  io::Config config;
  config.run.seed = config.data.size = config.data.channels = -1;
  return config;
}

io::RecipeChanges changes_of(const CombineCall& o, const io::Config& config) {
  io::RecipeChanges changes;
  changes.paths = source_paths(o.sources);
  if (config.run.seed >= 0) changes.seed = static_cast<std::uint64_t>(config.run.seed);
  if (config.data.size >= 0) changes.size = config.data.size;
  if (config.data.channels >= 0) changes.channels = config.data.channels;
  return changes;
}

int combine(const CombineCall& o) {
  const io::Config config = o.common.apply(nothing_given());
  Context context = o.common.make_context(config.run);
  ContextScope scope(context);
  const io::Recipe recipe = io::read_recipe(o.recipe, changes_of(o, config));
  const bool as_file = is_file_name(o.out);
  if (as_file && recipe.size == 0)
    fail_usage("--out {}: a packed file has images of one size; give {} a size (or --set data.size=N), or name a folder", o.out, o.recipe);
  if (as_file) {
    io::check_combined_pack(o.out);
  } else {
    io::check_combined_folder(o.out);
  }
  const io::CombinedSet set = io::draw_recipe(recipe);
  warn_of_skipped(set.passed_over);
  if (as_file) {
    io::write_combined_pack(set, o.out);
  } else {
    io::write_combined_folder(set, o.out);
  }
  const std::string manifest =
      as_file ? io::manifest_beside(o.out) : (std::filesystem::path(o.out) / "manifest.csv").string();

  std::map<std::string, std::int64_t> classes;
  for (const io::CombinedImage& image : set.images) ++classes[image.class_name];
  if (o.common.json()) {
    Json passed_over = Json::array();
    for (const io::SkippedFile& f : set.passed_over) passed_over.push_back({{"file", f.file}, {"reason", f.reason}});
    print_json({{"out", o.out},
                {"manifest", manifest},
                {"name", set.name},
                {"images", set.images.size()},
                {"classes", classes},
                {"seed", recipe.seed},
                {"passed_over", passed_over}});
  } else {
    fmt::print("{}: {} images of {} {} (seed {})\n", o.out, set.images.size(), recipe.sources.size(),
               recipe.sources.size() == 1 ? "source" : "sources", recipe.seed);
    for (const auto& [name, count] : classes) fmt::print("  {:>6}  {}\n", count, name);
    fmt::print("where each image came from: {}\n", manifest);
  }
  return kDone;
}

}  // namespace

void add_combine(CommandLine& line, CLI::App& data) {
  auto o = std::make_shared<CombineCall>();
  CLI::App& command = line.add(data, "combine", "Makes one set from several sources, by random sampling with a seed.",
                               "A recipe says how many images of each class to take from which source (docs/data.md). "
                               "The set is a folder, or one "
                               "packed file where --out has an extension; a manifest (manifest.csv in the folder, or "
                               "F.csv beside the file F) says where each image came from. Images that two sources share "
                               "are refused, by name. --seed, data.size and data.channels, where given, win over the "
                               "recipe's own.",
                               "  innerloop data combine recipe.toml --source ours=xrays --out set.pack");
  command.add_option("recipe", o->recipe, "the recipe, a TOML file")->required()->type_name("RECIPE.toml");
  command.add_option("--out", o->out, "a new folder, or a packed file such as set.pack")
      ->required()
      ->type_name("DIR|F");
  command.add_option("--source", o->sources, "where a source of the recipe lies; repeatable, wins over its path")
      ->allow_extra_args(false)
      ->type_name("NAME=FOLDER");
  o->common.add_to(command);
  line.on_run(command, [o] { return combine(*o); });
}

}  // namespace innerloop::tools
