// BIMCV-COVID19+ (and its negative part), in MIDS, an extension of BIDS:
//
//   [covid19_posi|covid19_neg/]sub-S03044/ses-E06134/mod-rx/sub-S03044_ses-E06134_run-1_bp-chest_vp-ap_dx.png   16 bits
//                                                           ... .json    DICOM attributes
//   derivatives/labels/*.tsv   PatientID, ReportID (the session), Labels
//
// The class is what the session's labels mean (bimcv_tables.h), the patient the subject. Of a session's views the
// frontal ones are kept, told by vp- in the name, else by ViewPosition; a view of which nothing is told is kept and
// counted. The JSON's window, rescaling and MONOCHROME1 are followed. Sessions of the tables without an image, images
// without a row, and files that a *_scans.tsv names in vain are exclusions, by name.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "io/bimcv_tables.h"
#include "io/csv.h"
#include "io/image.h"
#include "io/layout_parts.h"
#include "tensor/error.h"

namespace innerloop::io::layouts {
namespace {

namespace fs = std::filesystem;

bool is_subject(const std::string& folder) { return folder.starts_with("sub-"); }
bool is_session(const std::string& folder) { return folder.starts_with("ses-"); }

bool holds_subjects(const fs::path& folder) {
  for (const std::string& subject : entries_of(folder).folders)
    if (is_subject(subject) && std::ranges::any_of(entries_of(folder / subject).folders, is_session)) return true;
  return false;
}

/// The folders of subjects: the root, or those in it (covid19_posi, covid19_neg).
std::vector<std::string> bases_of(const fs::path& root) {
  if (holds_subjects(root)) return {""};
  std::vector<std::string> bases;
  for (const std::string& folder : entries_of(root).folders)
    if (holds_subjects(root / folder)) bases.push_back(folder);
  return bases;
}

/// "vp" of sub-S1_ses-E2_run-1_bp-chest_vp-ap_dx.png is "ap"; "" where the name has no such part.
std::string entity(std::string_view name, std::string_view key) {
  name = name.substr(0, name.rfind('.'));
  while (!name.empty()) {
    const std::size_t end = std::min(name.find('_'), name.size());
    const std::string_view part = name.substr(0, end);
    if (part.size() > key.size() && part.starts_with(key) && part[key.size()] == '-')
      return std::string(part.substr(key.size() + 1));
    name.remove_prefix(std::min(end + 1, name.size()));
  }
  return {};
}

class Reader {
 public:
  explicit Reader(const fs::path& root) : root_(root) {}

  DataListing read() {
    const std::vector<std::string> bases = bases_of(root_);
    IL_CHECK(!bases.empty(),
             "{}: is not laid out as BIMCV-COVID19+: it has no sub-*/ses-*; leave data.layout at \"auto\", "
             "or write a data.toml",
             root_.string());
    for (const std::string& base : bases) read_base(base);
    name_missing();
    return out_.listing(root_, Layout::kBimcv);
  }

 private:
  void read_base(const std::string& base) {
    const fs::path folder = root_ / base;
    const LabelTable labels = read_labels(
        folder, {folder / "derivatives" / "labels", folder / "labels", root_ / "derivatives" / "labels", folder});
    for (const auto& [key, row] : labels) named_.try_emplace(key, base, row);
    for (const std::string& subject : entries_of(folder).folders) {
      if (!is_subject(subject)) continue;
      read_scans(join(base, subject));
      for (const std::string& session : entries_of(folder / subject).folders) {
        if (!is_session(session)) continue;
        const std::string path = join(join(base, subject), session);
        read_scans(path);
        const auto row = labels.find({subject, session});
        const std::vector<std::string> files = images_below(root_, path);
        for (const std::string& file : files) read_image(file, subject, row == labels.end() ? nullptr : &row->second);
        if (!files.empty()) with_image_.emplace(subject, session);
      }
    }
  }

  /// Sessions of the tables without an image, once all folders are read: they may share a table.
  void name_missing() {
    for (const auto& [key, named] : named_) {
      if (with_image_.contains(key)) continue;
      const auto& [base, row] = named;
      out_.exclude(join(join(base, key.first), key.second),
                   fmt::format("named in {}:{}, and there is no image of it", row.table, row.line),
                   ExclusionKind::kMissing);
    }
  }

  void read_image(const std::string& file, const std::string& subject, const SessionLabels* row) {
    const std::string name(base_name(file));
    const std::string part = entity(name, "bp");
    if (file.find("/mod-") != std::string::npos && file.find("/mod-rx/") == std::string::npos) {
      out_.exclude(file, "no plain X-ray: it does not lie in mod-rx", ExclusionKind::kRule);
      return;
    }
    if (!part.empty() && plain(part) != "chest" && plain(part) != "thorax") {
      out_.exclude(file, fmt::format("shows the {}, not the chest", part), ExclusionKind::kRule);
      return;
    }
    std::optional<Sidecar> sidecar;
    try {
      sidecar = read_sidecar((root_ / file).replace_extension(".json"));
    } catch (const Error& error) {
      out_.exclude(file, error.what(), ExclusionKind::kRule);
      return;
    }
    std::string word = entity(name, "vp");
    if (view_of(word) == View::kUnknown && sidecar) word = sidecar->view;
    if (view_of(word) == View::kOther) {
      out_.exclude(file, fmt::format("view {}: not frontal", word), ExclusionKind::kView);
      return;
    }
    if (row == nullptr) {
      out_.exclude(file, "its session has no row in the table of labels", ExclusionKind::kClass);
      return;
    }
    const LabelledClass labelled = class_of_labels(row->labels);
    if (labelled.name.empty()) {
      out_.exclude(file, fmt::format("{}:{}: {}", row->table, row->line, labelled.reason), ExclusionKind::kClass);
      return;
    }
    if (view_of(word) == View::kUnknown) out_.count_unknown_view();
    out_.add({file, labelled.name, subject, sidecar ? sidecar->hints : DisplayHints{}});
  }

  /// Images that a *_scans.tsv of `folder` names, relative to it, and that are not there.
  void read_scans(const std::string& folder) {
    for (const std::string& name : entries_of(root_ / folder).others) {
      if (!name.ends_with("_scans.tsv")) continue;
      const CsvTable table = read_table((root_ / folder / name).string());
      const std::size_t column = column_of(table, {"filename", "file"});
      for (const CsvRow& row : table.rows) {
        std::error_code error;
        const std::string file = join(folder, row.fields[column]);
        if (has_image_extension(file) && !fs::exists(root_ / file, error))
          out_.exclude(file, fmt::format("named in {}:{} and not there", name, row.line), ExclusionKind::kMissing);
      }
    }
  }

  using Session = std::pair<std::string, std::string>;  // subject, session

  const fs::path& root_;
  Gatherer out_;
  std::map<Session, std::pair<std::string, SessionLabels>>
      named_;  ///< by a table: the folder it was read for, and its row
  std::set<Session> with_image_;
};

}  // namespace

bool looks_like_bimcv(const fs::path& root) { return !bases_of(root).empty(); }

DataListing list_bimcv(const fs::path& root) { return Reader(root).read(); }

}  // namespace innerloop::io::layouts
