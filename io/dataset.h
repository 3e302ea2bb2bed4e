// Data sets: images that stay in memory as bytes, with their labels, classes and patient groups.
//
// A data set D is
//   a folder     in one of the layouts of layout.h. Without a known one: one subfolder a class; nested folders are classes
//                by their path ("Korean/character29"); images right in D and no subfolders are one flat set without labels,
//                whose single class is named "".
//   a file       a packed data set (pack.h)
//   "synthetic"  procedural chest X-rays (synthetic.h); a folder of that name is "./synthetic"
// Classes are sorted bytewise, files bytewise within their class. Hidden files, and files without an image extension,
// are ignored; a file with one that cannot be decoded is an error or, if asked, skipped and listed. What a layout leaves
// out (lateral views, images without a class) is listed too, whether asked or not.
//
// Determinism: the result depends on the files and options alone, not on the number of threads; of several bad files
// the first in order is the one named.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "io/layout.h"
#include "tensor/tensor.h"
#include "tensor/thread_pool.h"

namespace innerloop::io {

enum class Invert : std::uint8_t { kNo, kYes };
enum class BadFiles : std::uint8_t { kStop, kSkip };

struct SkippedFile {
  std::string file, reason;
};

struct ImageSet {
  std::string name;  ///< the folder's own name, or "synthetic"
  std::int64_t height = 0, width = 0, channels = 0;
  Tensor pixels;                     ///< u8 [M, H, W, C]
  std::vector<std::string> files;    ///< [M] paths relative to the data set
  std::vector<std::int32_t> labels;  ///< [M] index into classes
  std::vector<std::string> classes;
  std::vector<std::int64_t> groups;  ///< [M] index into group_names: the patient, or the image itself when unknown
  std::vector<std::string> group_names;
  std::vector<SkippedFile> skipped;  ///< what is not in the set, and why
  Invert invert = Invert::kNo;  ///< whether the pixels were inverted when loaded
  std::int64_t ungrouped = 0;   ///< images of no known patient in a set where others have one
  Layout layout = Layout::kFolders;   ///< how the folder was read
  std::vector<std::string> cautions;  ///< sentences on what a reader of results should know of these images

  std::int64_t count() const { return static_cast<std::int64_t>(files.size()); }
  /// Indices of the images of each class.
  std::vector<std::vector<std::int64_t>> by_class() const;
  /// SHA-256 in hex over shape, pixels, labels, classes and the partition into groups; not over names of files. Costs a
  /// pass over the pixels: ask once.
  std::string hash() const;
};

struct LoadOptions {
  std::int64_t size = 0;      ///< side of the square images; 0 keeps the first image's size, and all must agree
  std::int64_t channels = 1;  ///< 1 grey, 3 RGB
  Invert invert = Invert::kNo;
  BadFiles bad_files = BadFiles::kStop;
  Layout layout = Layout::kAuto;  ///< of a folder
  std::string groups_csv = {};    ///< which images belong to one patient (groups.h); "" leaves it to the layout
  std::string cache = {};         ///< packed file to read when it fits options and source, else to write; "" for none
  std::uint64_t seed = 0;         ///< of "synthetic"
  ThreadPool* threads = nullptr;  ///< nullptr: the current context's
  /// Called with (done, total) from the loading threads, one call at a time, `done` rising.
  std::function<void(std::int64_t, std::int64_t)> progress = {};
};

/// The side of "synthetic" when LoadOptions::size is 0.
inline constexpr std::int64_t kSyntheticSize = 84;

/// Throws Error naming the path or file: missing (with a near name, if there is one), an empty folder, a class folder
/// without images, images beside class folders, a bad image (BadFiles::kStop), images of several sizes (size = 0).
/// Under BadFiles::kSkip the last three of these are skipped and listed; a set with no good image is an error still. What
/// list_data() (data_listing.h) throws of a folder's layout is thrown here too.
ImageSet load_images(const std::string& path, const LoadOptions& options = {});

/// The images at `indices`, in that order, as a set of its own. Classes and group names are kept, so labels and groups
/// mean the same in both. Throws Error when an index is out of range.
ImageSet subset(const ImageSet& set, std::span<const std::int64_t> indices);

}  // namespace innerloop::io
