// What lies in a folder of images, by its layout: which images, of which class and patient, and what is left out and
// why. Reads names and tables, no pixels.
//
// Classes are sorted bytewise; images by class, then bytewise by file. A file is an image of the set, or it stands in
// `excluded` with its reason: none goes away in silence (but hidden files and files that are no images by their name).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/layout.h"
#include "io/window.h"

namespace innerloop::io {

struct ListedImage {
  std::string file;          ///< path relative to the folder, with '/'
  std::int32_t label = 0;    ///< index into classes
  std::string patient = {};  ///< "" where the layout does not tell
  DisplayHints hints = {};   ///< of the metadata beside the image
};

enum class ExclusionKind : std::uint8_t {
  kView,     ///< the metadata says that it is no frontal view
  kClass,    ///< no class, or two, by its labels or name
  kMissing,  ///< a table names it and it is not there
  kRule,     ///< another rule of the layout or of data.toml
};

struct Exclusion {
  std::string file, reason;
  ExclusionKind kind = ExclusionKind::kRule;
};

struct DataListing {
  std::string name;                         ///< the folder's own name
  Layout layout = Layout::kFolders;         ///< never kAuto
  std::vector<std::string> classes;         ///< {""} for a flat folder without labels
  std::vector<ListedImage> images;
  std::vector<std::string> without_images;  ///< class folders that hold neither images nor folders; they are no classes
  std::vector<Exclusion> excluded;
  std::int64_t unknown_views = 0;  ///< images kept though nothing says that they are frontal, where others say so
};

/// The layout that kAuto stands for in the folder `path`.
Layout detect_layout(const std::string& path);

/// Lists the folder `path`. Throws Error naming path, file or line: missing, not a folder, images beside class folders
/// (kFolders), a forced layout of which the folder has nothing, no table of labels, a table that is empty or lacks a
/// column, a data.toml that cannot be meant.
DataListing list_data(const std::string& path, Layout layout = Layout::kAuto);

}  // namespace innerloop::io
