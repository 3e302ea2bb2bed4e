// Chest X-Ray Images (Kermany et al.; Mendeley Data 10.17632/rscbjbr9sj, versions 2 and 3, and the copy on Kaggle):
//
//   chest_xray/{train,val,test}/{NORMAL,PNEUMONIA}/*.jpeg
//     person123_bacteria_45.jpeg  BACTERIA-1008087-0001.jpeg           bacterial
//     person123_virus_45.jpeg     VIRUS-1008087-0001.jpeg              viral
//     IM-0007-0001.jpeg  NORMAL2-IM-0007-0001.jpeg  NORMAL-10.. .jpeg  normal
//
// The published division into train, val and test is not kept: it is none by patient, and cross-validation makes its
// own. The patient is person123, the number 1008087, or what patient_of() (groups.h) tells. One number may stand for a
// child with bacteria and one with a virus; they count as one patient, so that no split can leak. The copy on Kaggle
// holds the whole set twice, the second time in chest_xray/chest_xray; that copy is left out, by name.
#include <fmt/format.h>

#include <cctype>
#include <optional>
#include <vector>

#include "io/groups.h"
#include "io/layout_parts.h"
#include "tensor/error.h"

namespace innerloop::io::layouts {
namespace {

namespace fs = std::filesystem;

bool is_split(const std::string& folder) {
  const std::string name = plain(folder);
  return name == "train" || name == "val" || name == "test";
}
bool is_class(const std::string& folder) {
  const std::string name = plain(folder);
  return name == "normal" || name == "pneumonia";
}

bool has_parts(const fs::path& folder) {
  for (const std::string& part : entries_of(folder).folders) {
    if (!is_split(part)) continue;
    for (const std::string& name : entries_of(folder / part).folders)
      if (is_class(name)) return true;
  }
  return false;
}

bool has_parts_at(const fs::path& root, const std::string& relative) {
  std::error_code error;
  return fs::is_directory(root / relative, error) && has_parts(root / relative);
}

/// Where train, val and test lie: the folder itself or its chest_xray.
std::optional<std::string> folder_of_splits(const fs::path& root) {
  std::string base;
  for (int depth = 0; depth < 3; ++depth) {
    if (has_parts_at(root, base)) return base;
    base = join(base, "chest_xray");
  }
  return std::nullopt;
}

/// BACTERIA-1008087-0001 -> 1008087.
std::optional<std::string> third_release_patient(std::string_view name) {
  for (const std::string_view kind : {"BACTERIA-", "VIRUS-", "NORMAL-"}) {
    if (!name.starts_with(kind)) continue;
    std::size_t end = kind.size();
    while (end < name.size() && std::isdigit(static_cast<unsigned char>(name[end])) != 0) ++end;
    if (end > kind.size()) return std::string(name.substr(kind.size(), end - kind.size()));
  }
  return std::nullopt;
}

void add_image(Gatherer& out, const std::string& file, const std::string& class_folder) {
  const std::string_view name = base_name(file);
  const std::string words = plain(name);
  const bool bacteria = words.find("bacteria") != std::string::npos, virus = words.find("virus") != std::string::npos;
  if (plain(class_folder) == "normal") {
    if (bacteria || virus) {
      out.exclude(file, "lies in NORMAL and is called a pneumonia", ExclusionKind::kClass);
      return;
    }
  } else if (bacteria == virus) {
    out.exclude(file, "its name says neither bacteria nor virus, or both", ExclusionKind::kClass);
    return;
  }
  const std::string_view class_name = bacteria ? kBacterial : virus ? kViral : kNormal;
  out.add({file, std::string(class_name), third_release_patient(name).value_or(patient_of(name))});
}

}  // namespace

bool looks_like_kermany(const fs::path& root) { return folder_of_splits(root).has_value(); }

DataListing list_kermany(const fs::path& root) {
  const std::optional<std::string> base = folder_of_splits(root);
  IL_CHECK(base.has_value(),
           "{}: is not laid out as Chest X-Ray Images: it has no train, val or test with NORMAL or "
           "PNEUMONIA; leave data.layout at \"auto\", or write a data.toml",
           root.string());
  Gatherer out;
  const bool second_copy = has_parts_at(root, join(*base, "chest_xray"));
  for (const std::string& file : images_below(root, "")) {
    // Below the base: part / class / .. / file.
    const std::vector<std::string> path = components(file, base->empty() ? 0 : base->size() + 1);
    if (!base->empty() && !file.starts_with(*base + "/")) {
      out.exclude(file, fmt::format("lies outside of {}", *base), ExclusionKind::kRule);
    } else if (second_copy && path.size() > 1 && path[0] == "chest_xray") {
      out.exclude(file, "a second copy of the set", ExclusionKind::kRule);
    } else if (path.size() < 2 || !is_split(path[0])) {
      out.exclude(file, "lies outside of train, val and test", ExclusionKind::kRule);
    } else if (path.size() < 3 || !is_class(path[1])) {
      out.exclude(file, "lies neither in NORMAL nor in PNEUMONIA", ExclusionKind::kClass);
    } else {
      add_image(out, file, path[1]);
    }
  }
  return out.listing(root, Layout::kKermany);
}

}  // namespace innerloop::io::layouts
