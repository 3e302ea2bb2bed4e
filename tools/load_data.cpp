#include "tools/load_data.h"

#include <fmt/core.h>

#include "tools/messages.h"

namespace innerloop::tools {

void BadFileOption::add_to(CLI::App& command) {
  command.add_flag("--skip-bad", skip_,
                   "leave out image files that cannot be read, and name them, instead of stopping");
}

void warn_of_skipped(const std::vector<io::SkippedFile>& skipped) {
  constexpr std::size_t kShown = 10;
  for (std::size_t i = 0; i < skipped.size() && i < kShown; ++i)
    warn(fmt::format("left out: {}: {}", skipped[i].file, skipped[i].reason));
  if (skipped.size() > kShown) {
    warn(fmt::format("left out {} more files; 'innerloop data inspect' names them all", skipped.size() - kShown));
  }
}

io::ImageSet load_data(const std::string& path, io::LoadOptions options, const BadFileOption& bad_files) {
  options.bad_files = bad_files.choice();
  options.progress = counting_progress("reading " + path);
  io::ImageSet set = io::load_images(path, options);
  warn_of_skipped(set.skipped);
  for (const std::string& caution : set.cautions) warn(path + ": " + caution);
  return set;
}

}  // namespace innerloop::tools
