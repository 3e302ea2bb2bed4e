#include "io/toml_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "io/atomic_file.h"
#include "io/nearest.h"
#include "io/utf8.h"
#include "tensor/error.h"

namespace innerloop::io {
namespace {

constexpr int kMaxDots = 16;  // no key that is asked for has more than two

/// What may stand in a dotted key, but for its dots and quoted parts.
bool is_of_key(char c) {
  const auto byte = static_cast<unsigned char>(c);
  const bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  return alphanumeric || c == '_' || c == '-' || c == ' ' || c == '\t' || byte >= 0x80;
}

/// Behind the string whose first quote is text[at]; where it is not closed, behind its line or the text.
std::size_t end_of_string(std::string_view text, std::size_t at) {
  const char quote = text[at];
  const std::string three(3, quote);
  const bool lines = text.substr(at).starts_with(three);
  for (at += lines ? 3 : 1; at < text.size(); ++at) {
    if (quote == '"' && text[at] == '\\') {
      ++at;
    } else if (lines && text.substr(at).starts_with(three)) {
      at += 3;
      for (int more = 0; more < 2 && at < text.size() && text[at] == quote; ++more) ++at;  // the last of its content
      return at;
    } else if (!lines && (text[at] == quote || text[at] == '\n')) {
      return text[at] == quote ? at + 1 : at;
    }
  }
  return text.size();
}

/// `path` leads to `node`; "" for the root.
void check_characters(const toml::node& node, const std::string& file, const std::string& path) {
  if (const auto* text = node.as_string(); text != nullptr && has_control(text->get()))
    fail_usage("{}:{}: {} holds a control character; leave it out", file, node.source().begin.line, path);
  if (const auto* array = node.as_array())
    for (const toml::node& element : *array) check_characters(element, file, path);
  if (const auto* table = node.as_table())
    for (const auto& [name, value] : *table) {
      if (has_control(name.str()))
        fail_usage("{}:{}: a key{}{} holds a control character; leave it out", file, name.source().begin.line,
                   path.empty() ? "" : " of ", path);
      check_characters(value, file, path.empty() ? std::string(name.str()) : fmt::format("{}.{}", path, name.str()));
    }
}

}  // namespace

void check_toml_text(std::string_view text, const std::string& name) {
  if (text.size() > kMaxTomlBytes)
    fail_usage("{}: is larger than {} MB, which no TOML of ours is; name another file", name, kMaxTomlBytes >> 20);
  std::size_t line = 1;
  int dots = 0;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '"' || c == '\'') {  // may be part of a key
      const std::size_t end = end_of_string(text, at);
      line += static_cast<std::size_t>(std::ranges::count(text.substr(at, end - at), '\n'));
      at = end;
      continue;
    }
    if (c == '.' && ++dots > kMaxDots) fail_usage("{}:{}: a key of more than {} dots; no key has so many", name, line, kMaxDots);
    if (c != '.' && !is_of_key(c)) dots = 0;
    if (c == '\n') ++line;
    at = c == '#' ? std::min(text.find('\n', at), text.size()) : at + 1;
  }
}

toml::table parse_toml(std::string_view text, const std::string& name) {
  check_toml_text(text, name);
  try {
    toml::table table = toml::parse(text);
    check_characters(table, name, "");
    return table;
  } catch (const toml::parse_error& error) {
    std::string reason(error.description());
    for (char& c : reason) c = has_control({&c, 1}) ? ' ' : c;
    fail_usage("{}:{}: not TOML: {}", name, error.source().begin.line, reason);
  }
}

toml::table parse_toml_file(const std::string& path) { return parse_toml(read_file(path), path); }

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
