// Chest XRay_AI of CC-CXRI (Wang et al., 2021), its pneumonia part CC-CXRI-P: folders by class, patients below them.
//
//   [CC-CXRI-P/][train|val|test/]<class>/[<patient>/..]image      class: COVID-19, Normal, Viral, Bacterial, Other
//   [metadata.csv]  optional: a column file (or image), patient, and perhaps view
//
// The patient is the first folder below the class, else the metadata's, else what patient_of() tells (groups.h). Equal
// names of patients in two classes count as one patient, so that no split can leak.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "io/groups.h"
#include "io/image_table.h"
#include "io/layout_parts.h"
#include "tensor/error.h"

namespace innerloop::io::layouts {
namespace {

namespace fs = std::filesystem;

struct KnownName {
  std::string_view folder;  // as plain() writes it
  std::string_view class_name;
};
constexpr KnownName kNames[] = {
    {"covid 19", kCovid19},      {"covid19", kCovid19},
    {"covid", kCovid19},         {"covid 19 pneumonia", kCovid19},
    {"ncp", kCovid19},           {"normal", kNormal},
    {"normal control", kNormal}, {"normal controls", kNormal},
    {"viral", kViral},           {"virus", kViral},
    {"viral pneumonia", kViral}, {"other viral pneumonia", kViral},
    {"bacterial", kBacterial},   {"bacteria", kBacterial},
    {"other", kOtherPneumonia},  {"bacterial pneumonia", kBacterial},
    {"others", kOtherPneumonia}, {"other pneumonia", kOtherPneumonia},
};

/// Empty for a folder that is no class.
std::string_view class_of(const std::string& folder) {
  const std::string name = plain(folder);
  for (const KnownName& known : kNames)
    if (known.folder == name) return known.class_name;
  return {};
}

bool is_part(const std::string& folder) {
  const std::string name = plain(folder);
  return name == "train" || name == "val" || name == "test";
}

/// Two classes or more, and no folder that is none.
bool holds_classes(const fs::path& folder) {
  const Entries entries = entries_of(folder);
  const auto known = std::ranges::count_if(entries.folders, [](const auto& f) { return !class_of(f).empty(); });
  return known >= 2 && known == static_cast<std::ptrdiff_t>(entries.folders.size());
}

/// Where the classes (or train, val, test above them) lie: the folder itself, or the only folder in it.
std::optional<std::string> base_of(const fs::path& root) {
  const auto fits = [&](const std::string& base) {
    const Entries entries = entries_of(root / base);
    if (holds_classes(root / base)) return true;
    return !entries.folders.empty() && std::ranges::all_of(entries.folders, [&](const std::string& part) {
      return is_part(part) && holds_classes(root / base / part);
    });
  };
  if (fits("")) return "";
  const Entries entries = entries_of(root);
  if (entries.folders.size() == 1 && fits(entries.folders.front())) return entries.folders.front();
  return std::nullopt;
}

std::optional<std::string> metadata_of(const fs::path& root, const std::string& base) {
  for (const char* name : {"metadata.csv", "metadata.tsv"}) {
    std::error_code error;
    if (const fs::path path = root / base / name; fs::is_regular_file(path, error)) return path.string();
  }
  return std::nullopt;
}

/// Whether some class folder holds folders: those are patients.
bool has_patient_folders(const fs::path& folder) {
  for (const std::string& name : entries_of(folder).folders)
    if (!entries_of(folder / name).folders.empty()) return true;
  return false;
}

/// The optional metadata.
class Metadata {
 public:
  explicit Metadata(const std::optional<std::string>& path) {
    if (!path) return;
    CsvTable table = read_table(*path);
    const std::size_t file = column_of(table, {"file", "image", "filename", "file_name", "image_name", "path"});
    patient_ = column_of(table, {"patient", "patient_id", "patientid", "patient id", "subject"});
    for (const char* name : {"view", "view_position", "viewposition", "projection"})
      if (!view_) view_ = table.column(name);
    table_.emplace(std::move(table), file);
  }

  struct Row {
    std::string patient;
    std::optional<std::string> view;
  };
  Row at(const std::string& file) {
    const CsvRow* row = table_ ? table_->find(file) : nullptr;
    if (row == nullptr) return {};
    return {row->fields[patient_], view_ ? std::optional(row->fields[*view_]) : std::nullopt};
  }
  bool tells_views() const { return view_.has_value(); }
  void name_missing(Gatherer& out) const {
    if (!table_) return;
    for (const CsvRow* row : table_->unmet())
      out.exclude(table_->file_of(*row),
                  fmt::format("named in {}:{} and not there", base_name(table_->table().path), row->line),
                  ExclusionKind::kMissing);
  }

 private:
  std::optional<ImageTable> table_;
  std::size_t patient_ = 0;
  std::optional<std::size_t> view_;
};

}  // namespace

bool looks_like_cc_cxri(const fs::path& root) {
  const std::optional<std::string> base = base_of(root);
  if (!base) return false;
  if (metadata_of(root, *base)) return true;
  const Entries entries = entries_of(root / *base);
  if (!is_part(entries.folders.front())) return has_patient_folders(root / *base);
  return std::ranges::any_of(entries.folders,
                             [&](const auto& part) { return has_patient_folders(root / *base / part); });
}

DataListing list_cc_cxri(const fs::path& root) {
  const std::optional<std::string> base = base_of(root);
  IL_CHECK(base.has_value(),
           "{}: is not laid out as Chest XRay_AI: its folders are not classes (COVID-19, Normal, Viral, "
           "Bacterial, Other); leave data.layout at \"auto\", or write a data.toml",
           root.string());
  Gatherer out;
  Metadata metadata(metadata_of(root, *base));
  const std::size_t skip = base->empty() ? 0 : base->size() + 1;
  for (const std::string& file : images_below(root, "")) {
    std::vector<std::string> path = components(file, skip);
    if (!path.empty() && is_part(path[0])) path.erase(path.begin());
    const bool outside = !base->empty() && !file.starts_with(*base + "/");
    if (outside || path.size() < 2 || class_of(path[0]).empty()) {
      out.exclude(file, "lies in the folder of no class", ExclusionKind::kClass);
      continue;
    }
    const Metadata::Row row = metadata.at(file.substr(skip));
    const View view = row.view ? view_of(*row.view) : View::kUnknown;
    if (view == View::kOther) {
      out.exclude(file, fmt::format("view {}: not frontal", *row.view), ExclusionKind::kView);
      continue;
    }
    if (metadata.tells_views() && view == View::kUnknown) out.count_unknown_view();
    const std::string patient = path.size() > 2        ? path[1]
                                : !row.patient.empty() ? row.patient
                                                       : patient_of(path.back());
    out.add({file, std::string(class_of(path[0])), patient});
  }
  metadata.name_missing(out);
  return out.listing(root, Layout::kCcCxri);
}

}  // namespace innerloop::io::layouts
