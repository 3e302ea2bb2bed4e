#include "io/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "io/atomic_file.h"
#include "tensor/error.h"

namespace innerloop::io {
namespace {

enum class Separator : char { kComma = ',', kTab = '\t' };

class Parser {
 public:
  Parser(const std::string& path, std::string_view text, Separator separator)
      : path_(path), text_(text), separator_(static_cast<char>(separator)) {
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
  }

  bool done() const { return at_ == text_.size(); }

  CsvRow row() {
    CsvRow row{line_, {}};
    for (;;) {
      row.fields.push_back(field());
      if (done()) return row;
      const char c = text_[at_++];
      if (c == separator_) continue;
      if (c == '\r') at_ += peek() == '\n';
      ++line_;
      return row;
    }
  }

 private:
  char peek() const { return done() ? '\0' : text_[at_]; }

  std::string field() {
    if (peek() == '"') return quoted();
    const char ends[] = {separator_, '\r', '\n'};
    const std::size_t end = std::min(text_.find_first_of(std::string_view(ends, 3), at_), text_.size());
    const std::string_view value = text_.substr(at_, end - at_);
    IL_CHECK(separator_ == '\t' || value.find('"') == std::string_view::npos,
             "{}:{}: a quote inside the field {}; quote the whole field and double the quote", path_, line_, value);
    at_ = end;
    return std::string(value);
  }

  std::string quoted() {
    const std::int64_t opened = line_;
    std::string value;
    ++at_;
    for (;;) {
      IL_CHECK(!done(), "{}:{}: a quote is opened and never closed", path_, opened);
      const char c = text_[at_++];
      if (c != '"') {
        line_ += c == '\n';
        value += c;
      } else if (peek() == '"') {
        value += text_[at_++];
      } else {
        IL_CHECK(done() || peek() == separator_ || peek() == '\r' || peek() == '\n',
                 "{}:{}: '{}' follows a closing quote; a separator or the end of the line must", path_, line_, peek());
        return value;
      }
    }
  }

  const std::string& path_;
  std::string_view text_;
  char separator_;
  std::size_t at_ = 0;
  std::int64_t line_ = 1;
};

std::string column_name(std::string_view text) {
  const auto space = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  std::string name(text);
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return name;
}

CsvTable read(const std::string& path, Separator separator) {
  const std::string text = read_file(path);
  Parser parser(path, text, separator);
  CsvTable table;
  table.path = path;
  while (!parser.done()) {
    CsvRow row = parser.row();
    if (row.fields.size() == 1 && row.fields[0].empty()) continue;
    if (table.header.empty()) {
      for (const std::string& field : row.fields) {
        table.header.push_back(column_name(field));
        IL_CHECK(table.header.back().empty() ||
                     std::count(table.header.begin(), table.header.end(), table.header.back()) == 1,
                 "{}:{}: the column '{}' stands twice in the header", path, row.line, table.header.back());
      }
      continue;
    }
    IL_CHECK(row.fields.size() == table.header.size(), "{}:{}: {} fields where the header has {}", path, row.line,
             row.fields.size(), table.header.size());
    table.rows.push_back(std::move(row));
  }
  IL_CHECK(!table.header.empty(), "{}: is empty; its first line must name the columns", path);
  return table;
}

}  // namespace

std::optional<std::size_t> CsvTable::column(std::string_view name) const {
  const auto found = std::find(header.begin(), header.end(), name);
  if (found == header.end()) return std::nullopt;
  return static_cast<std::size_t>(found - header.begin());
}

CsvTable read_csv(const std::string& path) { return read(path, Separator::kComma); }

CsvTable read_table(const std::string& path) {
  return read(path, path.ends_with(".tsv") ? Separator::kTab : Separator::kComma);
}

std::size_t column_of(const CsvTable& table, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names)
    if (const std::optional<std::size_t> column = table.column(name)) return *column;
  fail("{}:1: no column '{}' in its header ({})", table.path, *names.begin(), fmt::join(table.header, ", "));
}

std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace innerloop::io
