#include "io/image_table.h"

#include "io/layout_parts.h"
#include "tensor/error.h"

namespace innerloop::io::layouts {

ImageTable::ImageTable(CsvTable table, std::size_t file_column) : table_(std::move(table)), file_column_(file_column) {
  IL_CHECK(!table_.rows.empty(), "{}: is empty but for its header; it must name the images", table_.path);
  for (std::size_t i = 0; i < table_.rows.size(); ++i) {
    const std::string& file = file_of(table_.rows[i]);
    IL_CHECK(!file.empty(), "{}:{}: names no file", table_.path, table_.rows[i].line);
    const auto [other, is_new] = by_file_.emplace(file, i);
    IL_CHECK(is_new, "{}:{}: speaks of '{}', as line {} does; keep one of the two", table_.path, table_.rows[i].line,
             file, table_.rows[other->second].line);
  }
  met_.resize(table_.rows.size());
}

const CsvRow* ImageTable::find(const std::string& file) {
  auto found = by_file_.find(file);
  if (found == by_file_.end()) found = by_file_.find(base_name(file));
  if (found == by_file_.end()) return nullptr;
  std::string& met = met_[found->second];
  const CsvRow& row = table_.rows[found->second];
  IL_CHECK(met.empty() || met == file, "{}:{}: '{}' may be {} or {}; give paths in the table", table_.path, row.line,
           file_of(row), met, file);
  met = file;
  return &row;
}

std::vector<const CsvRow*> ImageTable::unmet() const {
  std::vector<const CsvRow*> rows;
  for (std::size_t i = 0; i < met_.size(); ++i)
    if (met_[i].empty()) rows.push_back(&table_.rows[i]);
  return rows;
}

}  // namespace innerloop::io::layouts
