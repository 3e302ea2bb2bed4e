// CSV by RFC 4180: quoted fields, doubled quotes, line breaks inside quotes, LF or CRLF, a UTF-8 mark ignored. TSV is the
// same with tabs, but that a quote inside an unquoted field is text: free text of reports is full of them.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace innerloop::io {

struct CsvRow {
  std::int64_t line = 0;  ///< where it begins, from 1
  std::vector<std::string> fields;
};

struct CsvTable {
  std::string path;
  std::vector<std::string> header;  ///< trimmed, lower case
  std::vector<CsvRow> rows;         ///< each as many fields as the header; empty lines are left out

  std::optional<std::size_t> column(std::string_view name) const;
};

/// Throws Error naming file and line: no header, a column twice, a ragged row, a quote that is not closed or stands
/// inside an unquoted field.
CsvTable read_csv(const std::string& path);
/// read_csv(), or TSV where the file is called .tsv.
CsvTable read_table(const std::string& path);

/// The column called `name` or one of its other spellings. Throws Error naming the file, the first spelling and the columns
/// that there are.
std::size_t column_of(const CsvTable& table, std::initializer_list<std::string_view> names);

/// `text` as one CSV field, quoted where it must be.
std::string csv_field(std::string_view text);

}  // namespace innerloop::io
