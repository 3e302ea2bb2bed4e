// Loading a data set for a command: with progress, and with a word about every file that was left out.
#pragma once

#include <CLI/App.hpp>
#include <string>

#include "io/dataset.h"

namespace innerloop::tools {

/// What a data set of a command is, for --help.
inline constexpr const char* kDataHelp =
    "a folder (one subfolder a class, or a published layout), a packed file, or the word synthetic";

/// The --skip-bad flag.
class BadFileOption {
 public:
  /// `this` must outlive parsing.
  void add_to(CLI::App& command);
  io::BadFiles choice() const { return skip_ ? io::BadFiles::kSkip : io::BadFiles::kStop; }

 private:
  bool skip_ = false;
};

/// load_images() with a progress line; skipped files are named on stderr.
io::ImageSet load_data(const std::string& path, io::LoadOptions options, const BadFileOption& bad_files);

/// Names skipped files on stderr, a few of them when there are many.
void warn_of_skipped(const std::vector<io::SkippedFile>& skipped);

}  // namespace innerloop::tools
