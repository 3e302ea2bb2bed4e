// The layout of a folder of images: which classes, which files, in which order. Reads names, no pixels.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace innerloop::io {

struct FolderImage {
  std::string file;        ///< path relative to the folder, with '/'
  std::int32_t label = 0;  ///< index into classes
};

struct FolderListing {
  std::string name;                         ///< the folder's own name
  std::vector<std::string> classes;         ///< sorted bytewise; {""} for a flat folder
  std::vector<FolderImage> images;          ///< by class, then bytewise by file
  std::vector<std::string> without_images;  ///< subfolders that hold neither images nor folders; they are no classes
};

/// Lists `path` by the rules of dataset.h. Throws Error: missing, not a folder, unreadable, images beside class
/// folders.
FolderListing list_image_folder(const std::string& path);

/// Throws Error for a path that does not exist, naming a near one where there is one.
[[noreturn]] void fail_missing(const std::string& path);

}  // namespace innerloop::io
