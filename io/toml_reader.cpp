#include "io/toml_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "io/atomic_file.h"
#include "io/nearest.h"
#include "tensor/error.h"

namespace innerloop::io {

toml::table parse_toml_file(const std::string& path) {
  const std::string text = read_file(path);
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    fail_usage("{}:{}: {}", path, error.source().begin.line, error.description());
  }
}

TomlReader::TomlReader(const toml::table& table, std::string file, std::string section)
    : table_(&table), file_(std::move(file)), section_(std::move(section)) {}

std::string TomlReader::path(std::string_view key) const {
  return section_.empty() ? std::string(key) : fmt::format("{}.{}", section_, key);
}

const toml::node* TomlReader::get(std::string_view key) {
  asked_.emplace_back(key);
  return table_->get(key);
}

void TomlReader::fail_type(const toml::node& node, std::string_view key, std::string_view expected) const {
  fail_usage("{}:{}: {} must be {}", file_, node.source().begin.line, path(key), expected);
}

void TomlReader::fail_here(std::string_view text) const {
  const auto line = table_->source().begin.line;
  const std::string where = line > 0 ? fmt::format("{}:{}", file_, line) : file_;
  fail_usage("{}: {}{}{}", where, section_, section_.empty() ? "" : ": ", text);
}

std::optional<std::string> TomlReader::text(std::string_view key) {
  const toml::node* node = get(key);
  if (node == nullptr) return std::nullopt;
  if (!node->is_string()) fail_type(*node, key, "a string");
  return node->as_string()->get();
}

std::optional<std::int64_t> TomlReader::integer(std::string_view key, std::int64_t min, std::int64_t max) {
  const toml::node* node = get(key);
  if (node == nullptr) return std::nullopt;
  if (!node->is_integer() || node->as_integer()->get() < min || node->as_integer()->get() > max)
    fail_type(*node, key, fmt::format("an integer in [{}, {}]", min, max));
  return node->as_integer()->get();
}

std::vector<std::string> TomlReader::texts(std::string_view key) {
  const toml::node* node = get(key);
  if (node == nullptr) return {};
  if (const auto* one = node->as_string()) return {one->get()};
  const toml::array* array = node->as_array();
  if (array == nullptr) fail_type(*node, key, "a string or an array of strings");
  std::vector<std::string> out;
  for (const toml::node& element : *array) {
    if (!element.is_string()) fail_type(element, key, "an array of strings");
    out.push_back(element.as_string()->get());
  }
  return out;
}

std::vector<std::pair<std::string, std::string>> TomlReader::text_pairs(std::string_view key) {
  const toml::node* node = get(key);
  if (node == nullptr) return {};
  if (!node->is_table()) fail_type(*node, key, "a table of strings");
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& [name, value] : *node->as_table()) {
    if (!value.is_string()) fail_type(value, key, "a table of strings");
    out.emplace_back(name.str(), value.as_string()->get());
  }
  return out;
}

std::vector<std::pair<std::string, std::int64_t>> TomlReader::integer_pairs(std::string_view key, std::int64_t min,
                                                                            std::int64_t max) {
  const toml::node* node = get(key);
  if (node == nullptr) return {};
  const std::string expected = fmt::format("a table of integers in [{}, {}]", min, max);
  if (!node->is_table()) fail_type(*node, key, expected);
  std::vector<std::pair<std::string, std::int64_t>> out;
  for (const auto& [name, value] : *node->as_table()) {
    if (!value.is_integer() || value.as_integer()->get() < min || value.as_integer()->get() > max)
      fail_type(value, key, expected);
    out.emplace_back(name.str(), value.as_integer()->get());
  }
  return out;
}

std::optional<TomlReader> TomlReader::table(std::string_view key) {
  const toml::node* node = get(key);
  if (node == nullptr) return std::nullopt;
  if (!node->is_table()) fail_type(*node, key, "a table");
  return TomlReader(*node->as_table(), file_, path(key));
}

std::vector<TomlReader> TomlReader::tables(std::string_view key) {
  const toml::node* node = get(key);
  if (node == nullptr) return {};
  const toml::array* array = node->as_array();
  if (array == nullptr) fail_type(*node, key, fmt::format("an array of tables, [[{}]]", key));
  std::vector<TomlReader> out;
  for (const toml::node& element : *array) {
    if (!element.is_table()) fail_type(element, key, fmt::format("an array of tables, [[{}]]", key));
    out.emplace_back(*element.as_table(), file_, path(key));
  }
  return out;
}

void TomlReader::done() const {
  for (const auto& [name, value] : *table_) {
    const std::string_view key = name.str();
    if (std::ranges::find(asked_, key) != asked_.end()) continue;
    const std::vector<std::string_view> known(asked_.begin(), asked_.end());
    fail_usage("{}:{}: unknown key {}{}; known: {}", file_, value.source().begin.line, path(key),
               suggestion(key, known), fmt::join(known, ", "));
  }
}

}  // namespace innerloop::io
