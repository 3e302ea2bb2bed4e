#include "tools/query_images.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>

#include "io/image.h"
#include "io/image_folder.h"
#include "tensor/context.h"
#include "tensor/error.h"
#include "tools/messages.h"

namespace innerloop::tools {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> files_below(const fs::path& folder) {
  std::vector<std::string> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with('.') && !entry.is_directory() && io::has_image_extension(name))
      files.push_back(entry.path().string());
  }
  std::ranges::sort(files);
  IL_CHECK(!files.empty(), "{}: holds no images (.png .jpg .bmp .tga .pgm .ppm)", folder.string());
  return files;
}

std::vector<std::string> all_files(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    if (!fs::exists(path)) io::fail_missing(path);
    if (fs::is_directory(path)) {
      const std::vector<std::string> below = files_below(path);
      files.insert(files.end(), below.begin(), below.end());
    } else {
      files.push_back(path);
    }
  }
  return files;
}

/// What one file gave: an image, or the reason why not.
struct Loaded {
  std::optional<io::Image> image;
  std::string reason;
};

Loaded load_one(const std::string& path, const io::LoadOptions& options) {
  try {
    io::Image image =
        io::resize_image(io::decode_image(path, static_cast<int>(options.channels)), options.size, options.size);
    if (options.invert == io::Invert::kYes) io::invert_image(image);
    return {std::move(image), {}};
  } catch (const Error& error) {
    return {std::nullopt, error.what()};
  }
}

}  // namespace

io::ImageSet with_classes(io::ImageSet set, const std::string& path) {
  const bool flat = set.classes.size() == 1 && set.classes.front().empty();
  if (flat) {
    std::map<std::string, std::string> seen;  // stem -> file
    set.classes.clear();
    for (std::size_t i = 0; i < set.files.size(); ++i) {
      const std::string stem = fs::path(set.files[i]).stem().string();
      const auto [other, is_new] = seen.emplace(stem, set.files[i]);
      IL_CHECK(is_new, "{}: {} and {} would both be the class '{}'; rename one, or use a subfolder a class", path,
               other->second, set.files[i], stem);
      set.classes.push_back(stem);
      set.labels[i] = static_cast<std::int32_t>(i);
    }
  }
  IL_CHECK(set.classes.size() >= 2, "{}: a single class ('{}'); two or more are needed to tell images apart", path,
           set.classes.front());
  return set;
}

QueryImages load_query_images(const std::vector<std::string>& paths, const io::LoadOptions& options,
                              const BadFileOption& bad_files) {
  const std::vector<std::string> files = all_files(paths);
  std::vector<Loaded> loaded(files.size());
  const auto progress = counting_progress("reading images");
  std::mutex mutex;
  std::int64_t done = 0;
  Context::current().threads().parallel_for(static_cast<std::int64_t>(files.size()), [&](std::int64_t i) {
    loaded[static_cast<std::size_t>(i)] = load_one(files[static_cast<std::size_t>(i)], options);
    const std::lock_guard lock(mutex);
    progress(++done, static_cast<std::int64_t>(files.size()));
  });

  QueryImages result;
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (loaded[i].image.has_value()) {
      result.names.push_back(files[i]);
    } else if (bad_files.choice() == io::BadFiles::kStop) {
      throw Error(loaded[i].reason);
    } else {
      warn("left out: " + loaded[i].reason);
    }
  }
  IL_CHECK(!result.names.empty(), "--images: not one of {} files can be read", files.size());
  result.pixels = Tensor::empty_on_host(
      {static_cast<std::int64_t>(result.names.size()), options.size, options.size, options.channels}, DType::kU8);
  auto to = result.pixels.mutable_data<std::uint8_t>().begin();
  for (const Loaded& one : loaded)
    if (one.image.has_value()) to = std::ranges::copy(one.image->pixels, to).out;
  return result;
}

}  // namespace innerloop::tools
