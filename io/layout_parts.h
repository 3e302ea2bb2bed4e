// What the readers of layouts share. Internal to io.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "io/data_listing.h"

namespace innerloop::io::layouts {

inline constexpr std::string_view kCovid19 = "covid19", kNormal = "normal", kBacterial = "bacterial", kViral = "viral",
                                  kOtherPneumonia = "other_pneumonia";

/// Names in a folder, each list sorted bytewise; hidden ones and archives' leavings (__MACOSX) are not there.
struct Entries {
  std::vector<std::string> folders, images, others;
};
/// Throws Error when the folder cannot be listed.
Entries entries_of(const std::filesystem::path& folder);

/// Every image at any depth below `root / relative`, as paths relative to root, bytewise. Throws Error for folders that
/// nest without end.
std::vector<std::string> images_below(const std::filesystem::path& root, const std::string& relative);

/// "a/b", or `name` alone below the root.
std::string join(const std::string& folder, const std::string& name);
/// The names along `path`, from the character `from` on: folders, then the file.
std::vector<std::string> components(std::string_view path, std::size_t from = 0);
/// Lower case; '-', '_' and runs of blanks become one blank.
std::string plain(std::string_view text);
/// The file's name without folders.
std::string_view base_name(std::string_view path);

/// kFrontal for PA, AP and their like; kOther for lateral, oblique and the like; kUnknown for a word that says nothing.
enum class View : std::uint8_t { kFrontal, kOther, kUnknown };
View view_of(std::string_view word);

/// Gathers images and exclusions, then puts them in order.
class Gatherer {
 public:
  struct Found {
    std::string file;
    std::string class_name;
    std::string patient = {};
    DisplayHints hints = {};
  };
  void add(Found found) { found_.push_back(std::move(found)); }
  void exclude(std::string file, std::string reason, ExclusionKind kind) {
    excluded_.push_back({std::move(file), std::move(reason), kind});
  }
  void count_unknown_view() { ++unknown_views_; }
  bool empty() const { return found_.empty() && excluded_.empty(); }
  /// Classes are those of the images found. The name is the folder's own.
  DataListing listing(const std::filesystem::path& root, Layout layout);

 private:
  std::vector<Found> found_;
  std::vector<Exclusion> excluded_;
  std::int64_t unknown_views_ = 0;
};

bool looks_like_bimcv(const std::filesystem::path& root);
bool looks_like_kermany(const std::filesystem::path& root);
bool looks_like_cc_cxri(const std::filesystem::path& root);
DataListing list_bimcv(const std::filesystem::path& root);
DataListing list_kermany(const std::filesystem::path& root);
DataListing list_cc_cxri(const std::filesystem::path& root);
/// By root/data.toml.
DataListing list_mapped(const std::filesystem::path& root);

}  // namespace innerloop::io::layouts
