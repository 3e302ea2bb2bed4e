#include "io/image_folder.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <string_view>
#include <vector>

#include "io/image.h"
#include "io/nearest.h"
#include "tensor/error.h"

namespace innerloop::io {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxDepth = 16;  // deeper is a loop of links, not a data set

struct Folder {
  std::vector<std::string> images, folders;  // names, sorted bytewise
};

Folder scan(const fs::path& path) {
  std::error_code error;
  fs::directory_iterator entries(path, error);
  IL_CHECK(!error, "{}: cannot be listed: {}", path.string(), error.message());
  Folder found;
  for (; entries != fs::directory_iterator(); entries.increment(error)) {
    IL_CHECK(!error, "{}: cannot be listed: {}", path.string(), error.message());
    const std::string name = entries->path().filename().string();
    if (name.starts_with('.')) continue;
    std::error_code ignored;  // a broken link is listed, and reported when it is opened
    if (entries->is_directory(ignored)) {
      found.folders.push_back(name);
    } else if (has_image_extension(name)) {
      found.images.push_back(name);
    }
  }
  std::sort(found.images.begin(), found.images.end());
  std::sort(found.folders.begin(), found.folders.end());
  return found;
}

using Classes =
    std::map<std::string, std::vector<std::string>>;  // path of the class -> file names; std::map sorts bytewise

/// Gathers the classes below `root / relative`.
void walk(const fs::path& root, const std::string& relative, int depth, Classes& classes, FolderListing& listing) {
  IL_CHECK(depth < kMaxDepth, "{}: folders nest deeper than {} below {}; is there a link that loops?", relative,
           kMaxDepth, root.string());
  Folder folder = scan(root / relative);
  IL_CHECK(folder.images.empty() || folder.folders.empty(),
           "{}: holds images ({}) beside folders ({}); a folder is a class or holds classes, so move one of them",
           (root / relative).string(), folder.images.front(), folder.folders.front());
  for (const std::string& name : folder.folders)
    walk(root, relative.empty() ? name : fmt::format("{}/{}", relative, name), depth + 1, classes, listing);
  if (!folder.images.empty()) {
    classes.emplace(relative, std::move(folder.images));
  } else if (folder.folders.empty()) {
    listing.without_images.push_back(relative);
  }
}

}  // namespace

void fail_missing(const std::string& path) {
  // Climb to the deepest folder that exists, and look there for a name near the one that does not.
  fs::path missing = fs::path(path).lexically_normal();
  if (!missing.has_filename()) missing = missing.parent_path();
  std::error_code error;
  while (missing.has_parent_path() && !fs::is_directory(missing.parent_path(), error) &&
         missing.parent_path() != missing)
    missing = missing.parent_path();
  const fs::path parent = missing.has_parent_path() ? missing.parent_path() : fs::path(".");
  const std::string wanted = missing.filename().string();
  std::vector<std::string> names;
  for (fs::directory_iterator i(parent, error), end; !error && i != end; i.increment(error))
    names.push_back(i->path().filename().string());
  std::sort(names.begin(), names.end());  // a folder's own order is the file system's whim
  const std::string best(nearest(wanted, std::vector<std::string_view>(names.begin(), names.end())));
  if (!best.empty()) fail("{}: no such file or folder; did you mean {}?", path, (parent / best).string());
  fail("{}: no such file or folder; {} has no '{}'", path, parent.string(), wanted);
}

FolderListing list_image_folder(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) fail_missing(path);
  IL_CHECK(fs::is_directory(status), "{}: is not a folder", path);
  FolderListing listing;
  const fs::path absolute = fs::weakly_canonical(path, error);
  listing.name = absolute.filename().string();
  Classes classes;
  walk(path, "", 0, classes, listing);
  std::erase(listing.without_images, "");  // the data set itself; the caller speaks of an empty folder
  for (const auto& [name, files] : classes) {
    const std::int32_t label = static_cast<std::int32_t>(listing.classes.size());
    listing.classes.push_back(name);
    for (const std::string& file : files)
      listing.images.push_back({name.empty() ? file : fmt::format("{}/{}", name, file), label});
  }
  return listing;
}

}  // namespace innerloop::io
