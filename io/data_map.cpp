#include "io/data_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "io/toml_reader.h"
#include "tensor/error.h"

namespace innerloop::io {
namespace {

std::regex compile(const TomlReader& section, const std::string& key, const std::string& text) {
  try {
    return std::regex(text, std::regex::ECMAScript | std::regex::optimize);
  } catch (const std::regex_error& error) {
    section.fail_here(fmt::format("{} = '{}' is no regular expression ({})", key, text, error.what()));
  }
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

MapSource read_source(TomlReader& section) {
  MapSource source;
  constexpr std::int64_t kDeepest = 16;
  source.folder = section.integer("folder", -kDeepest, kDeepest);
  if (source.folder == 0) section.fail_here("folder counts from 1 (the first), or from -1 (the last)");
  if (const auto text = section.text("pattern")) {
    source.pattern = compile(section, "pattern", *text);
    if (source.pattern->mark_count() < 1) section.fail_here(fmt::format("pattern = '{}' has no group ( )", *text));
  }
  source.column = lower(section.text("column").value_or(""));
  return source;
}

int count_of(const MapSource& source) {
  return (source.folder ? 1 : 0) + (source.pattern ? 1 : 0) + (source.column.empty() ? 0 : 1) +
         (source.published_rule ? 1 : 0);
}

void read_images(TomlReader section, DataMap& map) {
  if (const auto text = section.text("include")) {
    map.include_text = *text;
    map.include = compile(section, "include", *text);
  }
  for (const std::string& text : section.texts("exclude"))
    map.exclude.emplace_back(text, compile(section, "exclude", text));
  section.done();
}

void check_table(const TomlReader& section, const MapSource& source, const DataMap& map) {
  if (!source.column.empty() && map.table.empty()) section.fail_here("column needs a [table] with file and image");
}

}  // namespace

DataMap read_data_map(const std::string& path) {
  const toml::table parsed = parse_toml_file(path);
  TomlReader root(parsed, path);
  DataMap map;
  map.file = path;
  if (auto images = root.table("images")) read_images(*std::move(images), map);
  if (auto table = root.table("table")) {
    map.table = table->text("file").value_or("");
    map.table_image = lower(table->text("image").value_or(""));
    table->done();
    if (map.table.empty() || map.table_image.empty())
      table->fail_here("needs file (a CSV or TSV) and image (its column)");
  }
  auto classes = root.table("class");
  if (!classes) root.fail_here("no [class]: say what an image's class is, by folder, pattern or column");
  map.class_source = read_source(*classes);
  map.class_names = classes->text_pairs("names");
  classes->done();
  if (count_of(map.class_source) != 1) classes->fail_here("give exactly one of folder, pattern and column");
  check_table(*classes, map.class_source, map);
  if (auto patient = root.table("patient")) {
    map.patient = read_source(*patient);
    if (const auto rule = patient->text("rule")) {
      if (*rule != "published") patient->fail_here(fmt::format("rule = \"{}\"; the one rule is \"published\"", *rule));
      map.patient->published_rule = true;
    }
    patient->done();
    if (count_of(*map.patient) != 1) patient->fail_here("give exactly one of folder, pattern, column and rule");
    check_table(*patient, *map.patient, map);
  }
  if (auto view = root.table("view")) {
    map.view = read_source(*view);
    map.keep_views = view->texts("keep");
    view->done();
    if (count_of(*map.view) != 1) view->fail_here("give exactly one of folder, pattern and column");
    check_table(*view, *map.view, map);
  }
  root.done();
  return map;
}

}  // namespace innerloop::io
