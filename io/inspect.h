// What is in a data set, before anything is trained on it: classes, sizes, duplicates, unreadable files.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "io/data_listing.h"
#include "io/dataset.h"
#include "io/groups.h"
#include "io/image.h"

namespace innerloop::io {

struct ClassCount {
  std::string name;
  std::int64_t images = 0;
};

struct DataSummary {
  Layout layout = Layout::kFolders;
  std::int64_t images = 0;                           ///< readable ones
  std::vector<ClassCount> classes;                   ///< a class without a readable image stands here with 0
  std::map<ImageSize, std::int64_t> sizes;           ///< images of each size, as stored
  std::vector<std::vector<std::string>> duplicates;  ///< files with the same pixels, each group >= 2
  std::vector<std::vector<std::string>> duplicates_across_classes;  ///< those of them that lie in several classes
  std::vector<SkippedFile> unreadable;                              ///< and why; class folders without images too
  std::int64_t groups = 0;     ///< patients; as many as images when nothing is known
  std::int64_t ungrouped = 0;  ///< images of no known patient where others have one
  std::vector<SplitPatient> in_several_classes;  ///< patients with images in several classes
  std::vector<Exclusion> excluded;               ///< what the layout leaves out, and why; of a packed set: what was left out
  std::int64_t views_dropped = 0;                ///< those of them that are no frontal views
  std::int64_t views_unknown = 0;                ///< images kept though nothing says that they are frontal
  std::vector<std::string> deep;                 ///< files of 16 bits a sample
};

struct InspectOptions {
  Layout layout = Layout::kAuto;
  std::string groups_csv = {};
  std::uint64_t seed = 0;         ///< of "synthetic"
  ThreadPool* threads = nullptr;  ///< nullptr: the current context's
};

/// Decodes every image once. Duplicates are told by SHA-256 over size and RGB pixels, so the same picture in two
/// formats counts. Throws Error only where load_images under BadFiles::kSkip would.
DataSummary inspect_data(const std::string& path, const InspectOptions& options = {});

/// SHA-256 over size and pixels, by which duplicates are told; of an image decoded to RGB.
std::string pixel_hash(const Image& rgb);

}  // namespace innerloop::io
