// A folder read by its data.toml (data_map.h).
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "io/data_map.h"
#include "io/groups.h"
#include "io/image_table.h"
#include "io/layout_parts.h"
#include "tensor/error.h"

namespace innerloop::io::layouts {
namespace {

namespace fs = std::filesystem;

class MappedReader {
 public:
  explicit MappedReader(const fs::path& root) : root_(root), map_(read_data_map((root / "data.toml").string())) {
    if (map_.table.empty()) return;
    CsvTable table = read_table((root / map_.table).string());
    const std::size_t column = column_of(table, {map_.table_image});
    for (const MapSource* source :
         {&map_.class_source, map_.patient ? &*map_.patient : nullptr, map_.view ? &*map_.view : nullptr})
      if (source != nullptr && !source->column.empty()) static_cast<void>(column_of(table, {source->column}));
    table_.emplace(std::move(table), column);
    const std::string folder = fs::path(map_.table).parent_path().generic_string();
    table_folder_ = folder.empty() ? "" : folder + "/";
  }

  DataListing read() {
    for (const std::string& file : images_below(root_, "")) read_image(file);
    if (table_) {
      for (const CsvRow* row : table_->unmet())
        out_.exclude(table_->file_of(*row), fmt::format("named in {}:{} and not there", map_.table, row->line),
                     ExclusionKind::kMissing);
    }
    return out_.listing(root_, Layout::kMapped);
  }

 private:
  void read_image(const std::string& file) {
    const CsvRow* row = table_ ? row_of(file) : nullptr;
    if (map_.include && !std::regex_search(file, *map_.include)) {
      out_.exclude(file, fmt::format("does not match include = '{}'", map_.include_text), ExclusionKind::kRule);
      return;
    }
    for (const auto& [text, pattern] : map_.exclude) {
      if (!std::regex_search(file, pattern)) continue;
      out_.exclude(file, fmt::format("matches exclude = '{}'", text), ExclusionKind::kRule);
      return;
    }
    if (map_.view && !keeps_view(file, row)) return;
    std::optional<std::string> name = value(map_.class_source, file, row);
    if (!name || name->empty()) {
      const bool no_row = !map_.class_source.column.empty() && row == nullptr;
      out_.exclude(file, no_row ? fmt::format("has no row in {}", map_.table) : "data.toml tells no class of it",
                   ExclusionKind::kClass);
      return;
    }
    if (!map_.class_names.empty()) {
      const auto renamed = std::ranges::find(map_.class_names, *name, &std::pair<std::string, std::string>::first);
      if (renamed == map_.class_names.end()) {
        out_.exclude(file, fmt::format("its class '{}' is not among class.names", *name), ExclusionKind::kClass);
        return;
      }
      name = renamed->second;
    }
    const std::string patient = map_.patient ? value(*map_.patient, file, row).value_or("") : "";
    out_.add({file, *name, patient});
  }

  bool keeps_view(const std::string& file, const CsvRow* row) {
    const std::string word = value(*map_.view, file, row).value_or("");
    if (word.empty()) {
      out_.count_unknown_view();
      return true;
    }
    if (!map_.keep_views.empty()) {
      const bool kept = std::ranges::any_of(map_.keep_views, [&](const auto& k) { return plain(k) == plain(word); });
      if (!kept) out_.exclude(file, fmt::format("view {}: not among view.keep", word), ExclusionKind::kView);
      return kept;
    }
    const View view = view_of(word);
    if (view == View::kOther) out_.exclude(file, fmt::format("view {}: not frontal", word), ExclusionKind::kView);
    if (view == View::kUnknown) out_.count_unknown_view();
    return view != View::kOther;
  }

  /// By the path from the data set's folder, from the table's folder, or the bare name.
  const CsvRow* row_of(const std::string& file) {
    if (!table_folder_.empty() && file.starts_with(table_folder_))
      if (const CsvRow* row = table_->find(file.substr(table_folder_.size()))) return row;
    return table_->find(file);
  }

  std::optional<std::string> value(const MapSource& source, const std::string& file, const CsvRow* row) const {
    if (source.published_rule) return patient_of(base_name(file));
    if (source.pattern) {
      std::smatch match;
      if (!std::regex_search(file, match, *source.pattern)) return std::nullopt;
      return match[1].str();
    }
    if (source.folder) {
      const std::vector<std::string> path = components(file);
      const auto folders = static_cast<std::int64_t>(path.size()) - 1;
      const std::int64_t at = *source.folder > 0 ? *source.folder - 1 : folders + *source.folder;
      if (at < 0 || at >= folders) return std::nullopt;
      return path[static_cast<std::size_t>(at)];
    }
    if (row == nullptr) return std::nullopt;
    return row->fields[column_of(table_->table(), {source.column})];
  }

  const fs::path& root_;
  DataMap map_;
  std::optional<ImageTable> table_;
  std::string table_folder_;  ///< "" or "tables/"
  Gatherer out_;
};

}  // namespace

DataListing list_mapped(const fs::path& root) { return MappedReader(root).read(); }

}  // namespace innerloop::io::layouts
