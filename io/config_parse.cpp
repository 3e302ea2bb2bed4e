// TOML into a Config, walking the schema; and the texts that say what is wrong with it.
#include <fmt/format.h>
#include <toml++/toml.h>

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <type_traits>

#include "io/config_schema.h"
#include "io/nearest.h"
#include "io/toml_reader.h"
#include "tensor/error.h"

namespace innerloop::io {
namespace {

using schema::Key;

/// What leads an error text: a file with the line of the node, or the option that an override came from.
struct Source {
  std::string name;
  enum class Lines { kCounted, kNone } lines = Lines::kCounted;

  std::string at(const toml::source_region& region) const {
    const bool known = lines == Lines::kCounted && region.begin.line > 0;
    return known ? fmt::format("{}:{}", name, region.begin.line) : name;
  }
  std::string at(const toml::node& node) const { return at(node.source()); }
};

/// The node as an error text shows it: "a string ("fast")", "3", "a table".
std::string found(const toml::node& node) {
  if (const auto* v = node.as_string()) return fmt::format("the string {}", schema::print_text(v->get()));
  if (const auto* v = node.as_integer()) return fmt::format("the integer {}", v->get());
  if (const auto* v = node.as_floating_point()) return fmt::format("the number {}", schema::print_real(v->get()));
  if (const auto* v = node.as_boolean()) return v->get() ? "true" : "false";
  if (node.is_array()) return "an array";
  if (node.is_table()) return "a table";
  return "a date or time";
}

std::optional<std::size_t> index_of(std::span<const std::string_view> names, std::string_view name) {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return i;
  return std::nullopt;
}

// One reader a kind of field; each says whether the node has the field's type. Ranges are checked afterwards, by the
// schema, because a Config filled in by hand needs the same check.
template <class Root>
bool read(const schema::Integer<Root>& field, const toml::node& node, Root& root) {
  const auto* value = node.as_integer();
  if (value != nullptr) field.at.edit(root) = value->get();
  return value != nullptr;
}

template <class Root>
bool read(const schema::Integers<Root>& field, const toml::node& node, Root& root) {
  const auto* array = node.as_array();
  if (array == nullptr) return false;
  std::vector<std::int64_t> values;
  for (const toml::node& element : *array) {
    if (!element.is_integer()) return false;
    values.push_back(element.as_integer()->get());
  }
  field.at.edit(root) = std::move(values);
  return true;
}

template <class Root>
bool read(const schema::Real<Root>& field, const toml::node& node, Root& root) {
  if (const auto* value = node.as_floating_point()) {
    field.at.edit(root) = value->get();
  } else if (const auto* whole = node.as_integer()) {
    field.at.edit(root) = static_cast<double>(whole->get());
  } else {
    return false;
  }
  return true;
}

template <class Root>
bool read(const schema::Flag<Root>& field, const toml::node& node, Root& root) {
  const auto* value = node.as_boolean();
  if (value != nullptr) field.at.edit(root) = value->get();
  return value != nullptr;
}

template <class Root>
bool read(const schema::Text<Root>& field, const toml::node& node, Root& root) {
  const auto* value = node.as_string();
  if (value != nullptr) field.at.edit(root) = value->get();
  return value != nullptr;
}

template <class Root>
bool read(const schema::Choice<Root>& field, const toml::node& node, Root& root) {
  std::string word;
  if (const auto* value = node.as_integer(); value != nullptr && field.spelling == schema::Spelling::kInteger) {
    word = fmt::format("{}", value->get());
  } else if (const auto* text = node.as_string(); text != nullptr && field.spelling == schema::Spelling::kWord) {
    word = text->get();
  }
  const std::optional<std::size_t> index = index_of(field.names, word);
  if (index) field.edit(root, *index);
  return index.has_value();
}

/// The value of an override, alone in a table under "v": TOML where it parses as one value, else the text itself.
toml::table parse_value(std::string_view value) {
  try {
    // The line break keeps a comment in the value from swallowing anything; a second key shows as a second entry.
    const std::string line = fmt::format("v = {}\n", value);
    check_toml_text(line, "--set");
    toml::table table = toml::parse(line);
    if (table.size() == 1 && table.contains("v")) return table;
  } catch (const toml::parse_error&) {
    // A bare word.
  } catch (const UsageError&) {
    // A bare word of many dots.
  }
  toml::table table;
  table.insert("v", std::string(value));
  return table;
}

/// Whether the text is a number that no 64 bits hold. TOML does not read those, so an override takes them for words.
bool is_huge(const std::string& text) {
  if (text.find_first_of("0123456789") == std::string::npos) return false;
  if (text.find_first_not_of("+-.0123456789eE") != std::string::npos) return false;
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  return end == text.c_str() + text.size() && std::abs(value) >= 0x1p63;
}

/// "; did you mean 'max'?" where a choice was misspelt, "; write it without quotes" where these are all that is wrong.
template <class Root>
std::string hint(const Key<Root>& key, const toml::node& node, Root root) {
  const auto* text = node.as_string();
  if (text == nullptr) return {};
  const auto* choice = std::get_if<schema::Choice<Root>>(&key.field);
  if (choice != nullptr && choice->spelling == schema::Spelling::kWord) return suggestion(text->get(), choice->names);
  const toml::table bare = parse_value(text->get());
  const bool typed = std::visit([&](const auto& field) { return read(field, *bare.get("v"), root); }, key.field);
  return typed ? "; write it without quotes" : "";
}

template <class Root>
void read_key(const Key<Root>& key, const std::string& path, const toml::node& node, const Source& source, Root& root) {
  const bool typed = std::visit([&](const auto& field) { return read(field, node, root); }, key.field);
  if (!typed) {
    const std::string text = node.value_or(std::string()), tip = hint(key, node, root);
    const bool huge = tip.empty() && !std::holds_alternative<schema::Flag<Root>>(key.field) && is_huge(text);
    fail_usage("{}: {}: found {}, expected {}{}", source.at(node), path, huge ? text + ", which is too large" : found(node),
               schema::expected(key), tip);
  }
  schema::check(key, root, fmt::format("{}: {}", source.at(node), path));
}

/// The nearest key to `section.name`: the same name in another section first, then by spelling.
std::string suggest_key(std::string_view section, std::string_view name) {
  std::vector<std::string> paths;
  for (const Key<Config>& key : schema::config_keys()) {
    if (key.name == name) return fmt::format("; did you mean '{}'?", key.path());
    paths.push_back(key.path());
  }
  const std::vector<std::string_view> views(paths.begin(), paths.end());
  std::string text = suggestion(fmt::format("{}.{}", section, name), views);
  if (!text.empty()) return text;
  if (section.empty()) return fmt::format("; the sections are {}", fmt::join(schema::sections(), ", "));
  for (const Key<Config>& key : schema::config_keys()) {
    if (key.section == section) text += fmt::format("{}{}", text.empty() ? "" : ", ", key.name);
  }
  return fmt::format("; the keys of [{}] are {}", section, text);
}

void read_section(std::string_view section, const toml::node& node, const Source& source, Config& config) {
  const toml::table* table = node.as_table();
  if (table == nullptr) {
    fail_usage("{}: {}: found {}, expected a table: write [{}] above its keys", source.at(node), section, found(node),
               section);
  }
  for (const auto& [name, value] : *table) {
    const Key<Config>* match = nullptr;
    for (const Key<Config>& key : schema::config_keys()) {
      if (key.section == section && key.name == name.str()) match = &key;
    }
    if (match == nullptr) {
      fail_usage("{}: unknown key '{}.{}'{}", source.at(value), section, name.str(), suggest_key(section, name.str()));
    }
    read_key(*match, match->path(), value, source, config);
  }
}

template <class Step>
void read_augmentation_keys(const toml::table& table, const std::string& path, const Source& source, Step& step) {
  const std::span<const Key<Step>> keys = schema::augmentation_keys<Step>();
  std::vector<std::string_view> names;
  for (const Key<Step>& key : keys) names.push_back(key.name);
  for (const auto& [name, value] : table) {
    if (name.str() == "kind") continue;
    const std::optional<std::size_t> index = index_of(names, name.str());
    if (!index) {
      fail_usage("{}: unknown key '{}.{}'; kind \"{}\" takes {}", source.at(value), path, name.str(),
                 keys.front().section, fmt::join(names, ", "));
    }
    read_key(keys[*index], fmt::format("{}.{}", path, name.str()), value, source, step);
  }
}

void read_augment(const toml::node& node, const Source& source, Config& config) {
  const toml::array* array = node.as_array();
  if (array == nullptr) {
    fail_usage("{}: augment: found {}, expected an array of tables: write [[augment]], or [] for none", source.at(node),
               found(node));
  }
  if (array->size() > schema::kMaxAugmentations) {
    fail_usage("{}: augment: found {} tables, expected at most {}", source.at(node), array->size(),
               schema::kMaxAugmentations);
  }
  const std::span<const std::string_view> kinds = schema::augmentation_kinds();
  const std::string choices = schema::describe_choices(kinds, schema::Spelling::kWord);
  std::vector<Augmentation> steps;
  for (const toml::node& element : *array) {
    const std::string path = fmt::format("augment[{}]", steps.size());
    const toml::table* table = element.as_table();
    if (table == nullptr) {
      fail_usage("{}: {}: found {}, expected a table with kind = {}", source.at(element), path, found(element),
                 choices);
    }
    const toml::node* kind = table->get("kind");
    if (kind == nullptr) fail_usage("{}: {}.kind: missing, expected {}", source.at(element), path, choices);
    const std::string word = kind->value_or(std::string());
    const std::optional<std::size_t> index = index_of(kinds, word);
    if (!index) {
      fail_usage("{}: {}.kind: found {}, expected {}{}", source.at(*kind), path, found(*kind), choices,
                 suggestion(word, kinds));
    }
    Augmentation step = schema::make_augmentation(*index);
    std::visit([&](auto& s) { read_augmentation_keys(*table, path, source, s); }, step);
    steps.push_back(step);
  }
  config.augment = std::move(steps);
}

void read_root(const toml::table& root, const Source& source, Config& config) {
  Config changed = config;
  for (const auto& [name, node] : root) {
    if (!index_of(schema::sections(), name.str())) {
      if (node.is_table() || node.is_array_of_tables()) {
        fail_usage("{}: unknown section '{}'{}", source.at(node), name.str(),
                   suggestion(name.str(), schema::sections()));
      }
      fail_usage("{}: unknown key '{}'{}", source.at(node), name.str(), suggest_key("", name.str()));
    }
    if (name.str() == "augment") {
      read_augment(node, source, changed);
    } else {
      read_section(name.str(), node, source, changed);
    }
  }
  config = std::move(changed);
}

bool holds_text(std::string_view section, std::string_view name) {
  for (const Key<Config>& key : schema::config_keys()) {
    if (key.section != section || key.name != name) continue;
    if (std::holds_alternative<schema::Text<Config>>(key.field)) return true;
    const auto* choice = std::get_if<schema::Choice<Config>>(&key.field);
    return choice != nullptr && choice->spelling == schema::Spelling::kWord;
  }
  return false;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t";
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

}  // namespace

void apply_toml_text(Config& config, std::string_view text, std::string_view source_name) {
  const Source source{std::string(source_name), Source::Lines::kCounted};
  read_root(parse_toml(text, source.name), source, config);
}

void apply_toml_file(Config& config, const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path)) {
    fail_usage("{}: is a folder; give the path of a TOML file", path.string());
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  // One byte more than may be, so that the parser sees that it is too large. A pipe is read, too.
  std::string text(kMaxTomlBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (!file.is_open() || file.bad()) {
    fail_usage("{}: cannot be read ({}); give the path of a TOML file", path.string(), std::strerror(errno));
  }
  apply_toml_text(config, text, path.string());
}

void apply_override(Config& config, std::string_view assignment) {
  const std::size_t equals = assignment.find('=');
  if (equals == std::string_view::npos) {
    fail_usage("--set {}: has no '='; write section.key=value, as in --set inner.rate=0.01", assignment);
  }
  const std::string_view path = trim(assignment.substr(0, equals));
  const std::string_view value = trim(assignment.substr(equals + 1));
  const Source source{"--set", Source::Lines::kNone};

  if (path.empty() || path.starts_with('.')) {
    fail_usage("--set {}: names no key; write section.key=value, as in --set inner.rate=0.01", assignment);
  }
  const std::size_t dot = path.find('.');
  const std::string_view section = path.substr(0, dot);
  const std::string_view name = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
  toml::table values = parse_value(value);
  // A path such as `2024` or `true` is meant as text wherever text is what the key takes.
  if (holds_text(section, name) && !values.get("v")->is_string()) values.insert_or_assign("v", std::string(value));

  const toml::node& node = *values.get("v");
  toml::table root;
  if (name.empty()) {
    root.insert(section, node);
  } else {
    root.insert(section, toml::table{});
    root.get(section)->as_table()->insert(name, node);
  }
  read_root(root, source, config);
}

}  // namespace innerloop::io
