#include "io/data_listing.h"

#include <array>
#include <filesystem>

#include "io/image_folder.h"
#include "io/layout_parts.h"
#include "tensor/error.h"

namespace innerloop::io {
namespace {

namespace fs = std::filesystem;

DataListing list_folders(const std::string& path) {
  FolderListing folder = list_image_folder(path);
  DataListing out;
  out.name = std::move(folder.name);
  out.classes = std::move(folder.classes);
  out.without_images = std::move(folder.without_images);
  for (FolderImage& image : folder.images) out.images.push_back({std::move(image.file), image.label});
  return out;
}

}  // namespace

std::string_view name_of(Layout layout) {
  static constexpr std::array<std::string_view, 6> kNames = {"auto",    "folders", "bimcv",
                                                             "kermany", "cc_cxri", "mapped"};
  return kNames[static_cast<std::size_t>(layout)];
}

Layout detect_layout(const std::string& path) {
  const fs::path root(path);
  std::error_code error;
  if (fs::is_regular_file(root / "data.toml", error)) return Layout::kMapped;
  if (layouts::looks_like_bimcv(root)) return Layout::kBimcv;
  if (layouts::looks_like_kermany(root)) return Layout::kKermany;
  if (layouts::looks_like_cc_cxri(root)) return Layout::kCcCxri;
  return Layout::kFolders;
}

DataListing list_data(const std::string& path, Layout layout) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) fail_missing(path);
  IL_CHECK(fs::is_directory(status), "{}: is not a folder", path);
  if (layout == Layout::kAuto) layout = detect_layout(path);
  switch (layout) {
    case Layout::kBimcv:
      return layouts::list_bimcv(path);
    case Layout::kKermany:
      return layouts::list_kermany(path);
    case Layout::kCcCxri:
      return layouts::list_cc_cxri(path);
    case Layout::kMapped:
      return layouts::list_mapped(path);
    default:
      return list_folders(path);
  }
}

}  // namespace innerloop::io
