#include "io/groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>

#include "io/csv.h"
#include "tensor/error.h"

namespace innerloop::io {
namespace {

std::string_view file_name(std::string_view path) { return path.substr(path.find_last_of('/') + 1); }

/// The columns that say which image a row is about and whose it is.
class GroupsFile {
 public:
  explicit GroupsFile(const std::string& path) : table_(read_csv(path)) {
    file_ = needed("file");
    class_ = table_.column("class");
    set_ = table_.column("set");
    group_ = table_.column("group");
    if (!group_) group_ = table_.column("patient");
    if (!group_) original_ = table_.column("original_name");
    if (original_) source_ = table_.column("source");
    IL_CHECK(group_ || original_, "{}:1: no column 'group', 'patient' or 'original_name' in its header ({})", path,
             fmt::join(table_.header, ","));
  }

  const std::vector<CsvRow>& rows() const { return table_.rows; }
  const std::string& path() const { return table_.path; }
  const std::string& file(const CsvRow& row) const { return row.fields[file_]; }

  /// Whether some row speaks of the data set `name`; only then does the set column tell rows apart.
  bool knows_set(const std::string& name) const {
    return set_ && std::any_of(rows().begin(), rows().end(), [&](const CsvRow& r) { return r.fields[*set_] == name; });
  }
  bool of_set(const CsvRow& row, const std::string& name) const { return row.fields[*set_] == name; }
  bool of_class(const CsvRow& row, const std::string& name) const {
    return !class_ || row.fields[*class_].empty() || row.fields[*class_] == name;
  }

  std::string group(const CsvRow& row) const {
    const std::string name = group_ ? row.fields[*group_] : patient_of(row.fields[*original_]);
    IL_CHECK(!name.empty(), "{}:{}: the group of '{}' is empty", path(), row.line, file(row));
    return source_ ? fmt::format("{}/{}", row.fields[*source_], name) : name;
  }

 private:
  std::size_t needed(const char* name) const {
    const std::optional<std::size_t> column = table_.column(name);
    IL_CHECK(column.has_value(), "{}:1: no column '{}' in its header ({})", table_.path, name,
             fmt::join(table_.header, ","));
    return *column;
  }

  CsvTable table_;
  std::size_t file_ = 0;
  std::optional<std::size_t> class_, set_, group_, original_, source_;
};

}  // namespace

void apply_groups(ImageSet& set, const std::string& path) {
  const GroupsFile csv(path);
  const bool narrow = csv.knows_set(set.name);
  std::unordered_map<std::string_view, std::vector<const CsvRow*>> by_file;
  for (const CsvRow& row : csv.rows())
    if (!narrow || csv.of_set(row, set.name)) by_file[csv.file(row)].push_back(&row);

  std::unordered_map<std::string, std::int64_t> known;
  std::vector<std::int64_t> groups;
  std::vector<std::string> names;
  std::int64_t ungrouped = 0;
  for (std::size_t i = 0; i < set.files.size(); ++i) {
    const std::string& file = set.files[i];
    const std::string& class_name = set.classes[static_cast<std::size_t>(set.labels[i])];
    const CsvRow* found = nullptr;
    std::string group;
    // A row with the whole relative path says more than one with the bare name.
    for (const std::string_view key : {std::string_view(file), file_name(file)}) {
      const auto rows = by_file.find(key);
      if (found != nullptr || rows == by_file.end()) continue;
      for (const CsvRow* row : rows->second) {
        if (!csv.of_class(*row, class_name)) continue;
        const std::string name = csv.group(*row);
        IL_CHECK(found == nullptr || name == group,
                 "{}:{}: puts {} into the group '{}', line {} into '{}'; add a class or set column, or whole paths",
                 path, row->line, file, name, found->line, group);
        found = row;
        group = name;
      }
    }
    const std::int64_t next = static_cast<std::int64_t>(names.size());
    if (found == nullptr) {
      ++ungrouped;
      groups.push_back(next);
      names.push_back(file);
      continue;
    }
    const auto [at, is_new] = known.try_emplace(group, next);
    if (is_new) names.push_back(group);
    groups.push_back(at->second);
  }
  IL_CHECK(ungrouped < set.count(), "{}: no row of it is about an image of {} (which has {}, for one)", path, set.name,
           set.files.empty() ? "none" : set.files.front());
  set.groups = std::move(groups);
  set.group_names = std::move(names);
  set.ungrouped = ungrouped;
}

void set_patients(ImageSet& set, std::span<const std::string> patients) {
  IL_CHECK(patients.size() == set.files.size(), "set_patients: {} names for {} images", patients.size(), set.count());
  std::unordered_map<std::string_view, std::int64_t> known;
  set.groups.clear(), set.group_names.clear(), set.ungrouped = 0;
  for (std::size_t i = 0; i < patients.size(); ++i) {
    const std::int64_t next = static_cast<std::int64_t>(set.group_names.size());
    if (patients[i].empty()) {
      ++set.ungrouped;
      set.groups.push_back(next);
      set.group_names.push_back(set.files[i]);
      continue;
    }
    const auto [at, is_new] = known.try_emplace(patients[i], next);
    if (is_new) set.group_names.push_back(patients[i]);
    set.groups.push_back(at->second);
  }
  if (known.empty()) set.ungrouped = 0;
}

std::vector<SplitPatient> patients_in_several_classes(const ImageSet& set) {
  std::vector<std::set<std::int32_t>> classes(set.group_names.size());
  for (std::size_t i = 0; i < set.groups.size(); ++i)
    classes[static_cast<std::size_t>(set.groups[i])].insert(set.labels[i]);
  std::vector<SplitPatient> out;
  for (std::size_t g = 0; g < classes.size(); ++g) {
    if (classes[g].size() < 2) continue;
    SplitPatient patient{set.group_names[g], {}};
    for (const std::int32_t label : classes[g]) patient.classes.push_back(set.classes[static_cast<std::size_t>(label)]);
    out.push_back(std::move(patient));
  }
  return out;
}

}  // namespace innerloop::io
