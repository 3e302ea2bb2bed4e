// A table whose rows speak of image files: which row belongs to which file, and which rows to none. Internal to io.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "io/csv.h"

namespace innerloop::io::layouts {

/// Rows are found by the image's path relative to the folder that the table speaks of, else by its bare name.
class ImageTable {
 public:
  /// `file_column` names the image. Throws Error naming the table when it has no row, or two for one file.
  ImageTable(CsvTable table, std::size_t file_column);

  /// nullptr when no row speaks of the file. Throws Error naming table and line when the bare name fits several files,
  /// one of which was asked for before: then paths are needed.
  const CsvRow* find(const std::string& file);
  /// Rows that no find() has met: files that are named and not there.
  std::vector<const CsvRow*> unmet() const;

  const CsvTable& table() const { return table_; }
  const std::string& file_of(const CsvRow& row) const { return row.fields[file_column_]; }

 private:
  CsvTable table_;
  std::size_t file_column_;
  std::map<std::string, std::size_t, std::less<>> by_file_;  ///< index into the rows
  std::vector<std::string> met_;                             ///< by row: the file that met it
};

}  // namespace innerloop::io::layouts
