// Recipes: the TOML of combine.h.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <regex>
#include <set>

#include "io/combine.h"
#include "io/toml_reader.h"
#include "tensor/error.h"

namespace innerloop::io {
namespace {

namespace fs = std::filesystem;

Layout read_layout(TomlReader& section) {
  const std::string text = section.text("layout").value_or("auto");
  for (const Layout layout :
       {Layout::kAuto, Layout::kFolders, Layout::kBimcv, Layout::kKermany, Layout::kCcCxri, Layout::kMapped})
    if (name_of(layout) == text) return layout;
  section.fail_here(fmt::format("layout = \"{}\"; known: auto, folders, bimcv, kermany, cc_cxri, mapped", text));
}

/// A name becomes part of file names.
bool is_plain_name(const std::string& name) {
  return !name.empty() && !name.starts_with('.') && std::ranges::none_of(name, [](char c) {
    return c == '/' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
  });
}

SourceRecipe read_source(TomlReader section, const fs::path& folder) {
  SourceRecipe source;
  source.name = section.text("name").value_or("");
  if (!is_plain_name(source.name)) section.fail_here("needs a name that can be part of a file's name");
  if (const auto path = section.text("path")) source.path = (folder / *path).string();
  source.layout = read_layout(section);
  source.rename = section.text_pairs("rename");
  source.exclude = section.texts("exclude");
  for (const std::string& text : source.exclude) {
    try {
      static_cast<void>(std::regex(text));
    } catch (const std::regex_error&) {
      section.fail_here(fmt::format("exclude = '{}' is no regular expression", text));
    }
  }
  source.take = section.integer_pairs("take", 1, 1'000'000);
  if (source.take.empty()) section.fail_here("needs take = {class = count, ..}");
  for (const auto& [name, count] : source.take)
    if (!is_plain_name(name)) section.fail_here(fmt::format("take: '{}' cannot be the name of a folder", name));
  section.done();
  return source;
}

}  // namespace

Recipe read_recipe(const std::string& path, const RecipeChanges& changes) {
  const toml::table parsed = parse_toml_file(path);
  TomlReader root(parsed, path);
  Recipe recipe;
  recipe.name = root.text("name").value_or(fs::path(path).stem().string());
  recipe.seed =
      static_cast<std::uint64_t>(root.integer("seed", 0, std::numeric_limits<std::int64_t>::max()).value_or(1));
  recipe.size = root.integer("size", 1, 4096).value_or(0);
  recipe.channels = root.integer("channels", 1, 3).value_or(1);
  if (recipe.channels == 2) root.fail_here("channels must be 1 (grey) or 3 (RGB)");
  recipe.seed = changes.seed.value_or(recipe.seed);
  recipe.size = changes.size.value_or(recipe.size);
  recipe.channels = changes.channels.value_or(recipe.channels);
  std::set<std::string> names;
  for (TomlReader& section : root.tables("source")) {
    SourceRecipe source = read_source(section, fs::path(path).parent_path());
    if (!names.insert(source.name).second) section.fail_here(fmt::format("two sources are called '{}'", source.name));
    if (const auto given = changes.paths.find(source.name); given != changes.paths.end()) source.path = given->second;
    if (source.path.empty())
      section.fail_here(fmt::format("'{0}' has no path; give it here, or by --source {0}=FOLDER", source.name));
    recipe.sources.push_back(std::move(source));
  }
  root.done();
  if (recipe.sources.empty()) root.fail_here("no [[source]]");
  for (const auto& [name, folder] : changes.paths)
    if (!names.contains(name))
      fail_usage("--source {}={}: {} has no source of that name (it has {})", name, folder, path,
                 fmt::join(names, ", "));
  return recipe;
}

}  // namespace innerloop::io
