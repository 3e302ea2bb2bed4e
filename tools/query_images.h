// The images of `predict`: what stands in its support folder, and the files to classify.
#pragma once

#include <string>
#include <vector>

#include "io/dataset.h"
#include "tools/load_data.h"

namespace innerloop::tools {

/// `set` with one class an image, named by its stem, when it has no class folders; else `set` as it is. Throws Error
/// when two images share a stem, or there is a single class.
io::ImageSet with_classes(io::ImageSet set, const std::string& path);

struct QueryImages {
  Tensor pixels;                   ///< u8 [N, H, W, C], N >= 1
  std::vector<std::string> names;  ///< [N] paths that open the files
};

/// The images at `paths`, each a file or a folder (with its subfolders; files sorted), loaded as `options` say. Throws
/// Error naming the path: missing, no image in a folder, unreadable (unless bad files are skipped).
QueryImages load_query_images(const std::vector<std::string>& paths, const io::LoadOptions& options,
                              const BadFileOption& bad_files);

}  // namespace innerloop::tools
