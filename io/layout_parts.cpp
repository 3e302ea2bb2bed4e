#include "io/layout_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <tuple>

#include "io/image.h"
#include "tensor/error.h"

namespace innerloop::io::layouts {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxDepth = 16;  // deeper is a loop of links, not a data set

void gather(const fs::path& root, const std::string& relative, int depth, std::vector<std::string>& files) {
  IL_CHECK(depth < kMaxDepth, "{}: folders nest deeper than {} below {}; is there a link that loops?", relative,
           kMaxDepth, root.string());
  const Entries entries = entries_of(root / relative);
  for (const std::string& image : entries.images) files.push_back(join(relative, image));
  for (const std::string& folder : entries.folders) gather(root, join(relative, folder), depth + 1, files);
}

}  // namespace

Entries entries_of(const fs::path& folder) {
  std::error_code error;
  fs::directory_iterator at(folder, error);
  IL_CHECK(!error, "{}: cannot be listed: {}", folder.string(), error.message());
  Entries found;
  for (; at != fs::directory_iterator(); at.increment(error)) {
    IL_CHECK(!error, "{}: cannot be listed: {}", folder.string(), error.message());
    const std::string name = at->path().filename().string();
    if (name.starts_with('.') || name == "__MACOSX") continue;
    std::error_code ignored;  // a broken link is listed, and reported when it is opened
    if (at->is_directory(ignored)) {
      found.folders.push_back(name);
    } else {
      (has_image_extension(name) ? found.images : found.others).push_back(name);
    }
  }
  for (std::vector<std::string>* list : {&found.folders, &found.images, &found.others}) std::ranges::sort(*list);
  return found;
}

std::vector<std::string> images_below(const fs::path& root, const std::string& relative) {
  std::vector<std::string> files;
  gather(root, relative, 0, files);
  std::ranges::sort(files);
  return files;
}

std::string join(const std::string& folder, const std::string& name) {
  return folder.empty() ? name : fmt::format("{}/{}", folder, name);
}

std::vector<std::string> components(std::string_view path, std::size_t from) {
  std::vector<std::string> names;
  path.remove_prefix(std::min(from, path.size()));
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    names.emplace_back(path.substr(0, end));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return names;
}

std::string plain(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool blank = c == '-' || c == '_' || std::isspace(static_cast<unsigned char>(c)) != 0;
    if (!blank) {
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

std::string_view base_name(std::string_view path) { return path.substr(path.find_last_of('/') + 1); }

View view_of(std::string_view word) {
  const std::string view = plain(word);
  static constexpr std::string_view kFrontal[] = {"pa",
                                                  "ap",
                                                  "ap supine",
                                                  "ap horizontal",
                                                  "supine ap",
                                                  "frontal",
                                                  "ap erect",
                                                  "antero posterior",
                                                  "anteroposterior",
                                                  "posteroanterior",
                                                  "postero anterior"};
  static constexpr std::string_view kOther[] = {
      "ll",  "rl",  "l",   "lat", "lateral", "left lateral", "right lateral", "lld", "rld",
      "rao", "lao", "rpo", "lpo", "oblique", "costal",       "lordotic",      "al"};
  if (std::ranges::find(kFrontal, view) != std::end(kFrontal)) return View::kFrontal;
  if (std::ranges::find(kOther, view) != std::end(kOther)) return View::kOther;
  return View::kUnknown;
}

DataListing Gatherer::listing(const fs::path& root, Layout layout) {
  std::error_code error;
  DataListing out;
  out.name = fs::weakly_canonical(root, error).filename().string();
  out.layout = layout;
  std::ranges::sort(found_, [](const Found& a, const Found& b) {
    return std::tie(a.class_name, a.file) < std::tie(b.class_name, b.file);
  });
  for (Found& found : found_) {
    if (out.classes.empty() || out.classes.back() != found.class_name) out.classes.push_back(found.class_name);
    out.images.push_back({std::move(found.file), static_cast<std::int32_t>(out.classes.size() - 1),
                          std::move(found.patient), found.hints});
  }
  std::ranges::stable_sort(excluded_, {}, &Exclusion::file);
  out.excluded = std::move(excluded_);
  out.unknown_views = unknown_views_;
  return out;
}

}  // namespace innerloop::io::layouts
