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

int combine(const CombineCall& o) {
  Context context = o.common.make_context(o.common.run());
  ContextScope scope(context);
  const io::Recipe recipe = io::read_recipe(o.recipe, source_paths(o.sources));
  if (is_file_name(o.out) && recipe.size == 0)
    fail_usage("--out {}: a packed file has images of one size; give {} a size, or name a folder", o.out, o.recipe);
  const io::CombinedSet set = io::draw_recipe(recipe);
  warn_of_skipped(set.passed_over);
  if (is_file_name(o.out)) {
    io::write_combined_pack(set, o.out);
  } else {
    io::write_combined_folder(set, o.out);
  }

  std::map<std::string, std::int64_t> classes;
  for (const io::CombinedImage& image : set.images) ++classes[image.class_name];
  if (o.common.json()) {
    Json passed_over = Json::array();
    for (const io::SkippedFile& f : set.passed_over) passed_over.push_back({{"file", f.file}, {"reason", f.reason}});
    print_json({{"out", o.out},
                {"name", set.name},
                {"images", set.images.size()},
                {"classes", classes},
                {"seed", recipe.seed},
                {"passed_over", passed_over}});
  } else {
    fmt::print("{}: {} images of {} {} (seed {})\n", o.out, set.images.size(), recipe.sources.size(),
               recipe.sources.size() == 1 ? "source" : "sources", recipe.seed);
    for (const auto& [name, count] : classes) fmt::print("  {:>6}  {}\n", count, name);
  }
  return kDone;
}

}  // namespace

void add_combine(CommandLine& line, CLI::App& data) {
  auto o = std::make_shared<CombineCall>();
  CLI::App& command = line.add(data, "combine", "Makes one set from several sources, by random sampling with a seed.",
                               "A recipe says how many images of each class to take from which source (docs/data.md). "
                               "The set is a folder, or one "
                               "packed file where --out has an extension; a manifest says where each image came from. "
                               "Images that two sources share "
                               "are refused, by name.",
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
