#include "io/csv.h"

#include <algorithm>
#include <cctype>

#include "io/atomic_file.h"
#include "tensor/error.h"

namespace innerloop::io {
namespace {

class Parser {
 public:
  Parser(const std::string& path, std::string_view text) : path_(path), text_(text) {
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
  }

  bool done() const { return at_ == text_.size(); }

  CsvRow row() {
    CsvRow row{line_, {}};
    for (;;) {
      row.fields.push_back(field());
      if (done()) return row;
      const char c = text_[at_++];
      if (c == ',') continue;
      if (c == '\r') at_ += peek() == '\n';
      ++line_;
      return row;
    }
  }

 private:
  char peek() const { return done() ? '\0' : text_[at_]; }

  std::string field() {
    if (peek() == '"') return quoted();
    const std::size_t end = std::min(text_.find_first_of(",\r\n", at_), text_.size());
    const std::string_view value = text_.substr(at_, end - at_);
    IL_CHECK(value.find('"') == std::string_view::npos,
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
        IL_CHECK(done() || peek() == ',' || peek() == '\r' || peek() == '\n',
                 "{}:{}: '{}' follows a closing quote; a comma or the end of the line must", path_, line_, peek());
        return value;
      }
    }
  }

  const std::string& path_;
  std::string_view text_;
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

}  // namespace

std::optional<std::size_t> CsvTable::column(std::string_view name) const {
  const auto found = std::find(header.begin(), header.end(), name);
  if (found == header.end()) return std::nullopt;
  return static_cast<std::size_t>(found - header.begin());
}

CsvTable read_csv(const std::string& path) {
  const std::string text = read_file(path);
  Parser parser(path, text);
  CsvTable table;
  table.path = path;
  while (!parser.done()) {
    CsvRow row = parser.row();
    if (row.fields.size() == 1 && row.fields[0].empty()) continue;
    if (table.header.empty()) {
      for (const std::string& field : row.fields) {
        table.header.push_back(column_name(field));
        IL_CHECK(std::count(table.header.begin(), table.header.end(), table.header.back()) == 1,
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

}  // namespace innerloop::io
