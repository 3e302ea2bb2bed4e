// CSV by RFC 4180: quoted fields, doubled quotes, line breaks inside quotes, LF or CRLF, a UTF-8 mark ignored.
#pragma once

#include <cstdint>
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

}  // namespace innerloop::io
