// A strict reader of small TOML files (data.toml, recipes): every key that is there must be asked for, with its type.
// Internal to io. Errors are UsageErrors: file, line, key, what was expected.
#pragma once

#include <toml++/toml.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace innerloop::io {

inline constexpr std::size_t kMaxTomlBytes = std::size_t{4} << 20;  ///< of a text; no configuration comes near

/// Throws UsageError, led by `name` and the line, for a text that the parser must not see: larger than kMaxTomlBytes, or
/// with a key of so many dots that the tables in tables, which the parser takes down by recursion, would exhaust the
/// stack. (It bounds the depth of values by itself.)
void check_toml_text(std::string_view text, const std::string& name);

/// check_toml_text(), then the table. Throws UsageError when it is no TOML, or a key or a string of it holds a control
/// character but the tab: a name with a zero in it would end early, in error texts and for the system.
toml::table parse_toml(std::string_view text, const std::string& name);

/// The same for a file. Throws Error when it cannot be read.
toml::table parse_toml_file(const std::string& path);

class TomlReader {
 public:
  /// `file` leads error texts, `section` ("" for the root) is put before keys. `table` must outlive the reader.
  TomlReader(const toml::table& table, std::string file, std::string section = "");

  std::optional<std::string> text(std::string_view key);
  /// Throws UsageError when it is outside of [min, max].
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t min, std::int64_t max);
  /// A string or an array of strings; empty when the key is not there.
  std::vector<std::string> texts(std::string_view key);
  /// A table of strings, by key.
  std::vector<std::pair<std::string, std::string>> text_pairs(std::string_view key);
  /// A table of integers in [min, max], by key.
  std::vector<std::pair<std::string, std::int64_t>> integer_pairs(std::string_view key, std::int64_t min,
                                                                  std::int64_t max);
  std::optional<TomlReader> table(std::string_view key);
  /// An array of tables ([[key]]); empty when the key is not there.
  std::vector<TomlReader> tables(std::string_view key);

  /// Throws UsageError for a key that nobody asked for, with the nearest one that somebody did.
  void done() const;
  /// Throws UsageError: file, line of the section, "section: text".
  [[noreturn]] void fail_here(std::string_view text) const;

 private:
  const toml::node* get(std::string_view key);
  [[noreturn]] void fail_type(const toml::node& node, std::string_view key, std::string_view expected) const;
  std::string path(std::string_view key) const;

  const toml::table* table_;
  std::string file_, section_;
  std::vector<std::string> asked_;
};

}  // namespace innerloop::io
