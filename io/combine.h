// One experimental set from several sources, by random sampling with a seed, as the paper makes its two.
//
// A recipe is a TOML file:
//   name = "xray_ai"      the set's name
//   seed = 1              fixes the draw
//   size = 500            optional: the side of its square images; without it they keep their sizes
//   channels = 1          optional: 1 grey, 3 RGB
//   [[source]]            once for each
//   name = "kermany"
//   path = "chest_xray"   optional, from the recipe's folder; the caller may give it instead
//   layout = "kermany"    optional (layout.h)
//   rename = {PNEUMONIA = "other_pneumonia"}     optional: other names for the source's classes
//   exclude = ['person12_']                      optional: regular expressions, searched in the path
//   take = {normal = 90, viral = 60}             images of each class, by its new name
//
// Each class of each source is shuffled from its own address (seed, Stream::kHoldout, step kCombineStep + source,
// class) and taken from the front, so a number changed in one place moves no other draw. A file that cannot be read, or
// whose pixels are those of one already taken from the same source, is passed over and named. The same pixels from two
// sources are an error that names both: sets that share images share patients.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/data_listing.h"
#include "io/dataset.h"

namespace innerloop::io {

inline constexpr std::uint32_t kCombineStep = 1000;

struct SourceRecipe {
  std::string name, path;
  Layout layout = Layout::kAuto;
  std::vector<std::pair<std::string, std::string>> rename;
  std::vector<std::string> exclude;
  std::vector<std::pair<std::string, std::int64_t>> take;
};

struct Recipe {
  std::string name;
  std::uint64_t seed = 1;
  std::int64_t size = 0;  ///< 0: as the files have it
  std::int64_t channels = 1;
  std::vector<SourceRecipe> sources;
};

/// What the caller gives in place of the recipe's own.
struct RecipeChanges {
  std::map<std::string, std::string> paths = {};  ///< source -> folder
  std::optional<std::uint64_t> seed = {};
  std::optional<std::int64_t> size = {}, channels = {};
};

/// Throws UsageError naming file, line and key, a source without a path, or a path for no source.
Recipe read_recipe(const std::string& path, const RecipeChanges& changes = {});

struct CombinedImage {
  std::string file;  ///< in the new set: class/source_0001.png
  std::string class_name;
  std::string patient;   ///< source/patient; "" when the source does not tell
  std::string source;    ///< its name
  std::string original;  ///< path in the source
  std::string path;      ///< where it was read
  std::string hash;      ///< SHA-256 over size and RGB pixels, as stored
  DisplayHints hints = {};
};

struct CombinedSet {
  std::string name;
  std::int64_t size = 0, channels = 1;
  std::vector<CombinedImage> images;     ///< by class, then by source and number
  std::vector<SkippedFile> passed_over;  ///< "source: path", and why
};

/// Draws. Throws Error: a class that the source does not have (naming those it has), fewer images than asked for, the
/// same image from two sources. `threads` nullptr: the current context's.
CombinedSet draw_recipe(const Recipe& recipe, ThreadPool* threads = nullptr);

/// The manifest: CSV with file, class, patient, source, original, hash; a row an image.
std::string manifest_of(const CombinedSet& set);

/// Where the manifest of a packed set stands.
std::string manifest_beside(const std::string& pack);

/// Throw Error where the place for a set is empty as a path or taken: a folder with anything in it, a file that is no packed
/// set, or one beside it that would be the manifest and is none. The writers below check it, too; before the draw, it saves
/// the wait.
void check_combined_folder(const std::string& folder);
void check_combined_pack(const std::string& file);

/// A folder that every command reads: the images as PNG, manifest.csv, and the data.toml that maps it.
void write_combined_folder(const CombinedSet& set, const std::string& folder, ThreadPool* threads = nullptr);

/// One packed file (pack.h), and the manifest beside it as FILE.csv; both replace those of an earlier set. Throws UsageError
/// when the set has no size.
void write_combined_pack(const CombinedSet& set, const std::string& file, ThreadPool* threads = nullptr);

}  // namespace innerloop::io
