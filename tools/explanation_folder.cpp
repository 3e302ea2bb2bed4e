#include "tools/explanation_folder.h"

#include <filesystem>

#include "io/atomic_file.h"
#include "io/heat_map.h"
#include "tensor/error.h"

namespace innerloop::tools {

ExplanationFolder::ExplanationFolder(std::string path, Shown shown) : path_(std::move(path)), shown_(shown) {
  std::error_code failed;
  std::filesystem::create_directories(path_, failed);
  IL_CHECK(!failed && std::filesystem::is_directory(path_), "predict: {}: the folder of --explain cannot be made: {}", path_,
           failed ? failed.message() : "a file of this name exists");
  IL_CHECK(std::filesystem::is_empty(path_, failed) && !failed,
           "predict: {}: the folder of --explain is not empty; its pictures are named as the images are and would replace files; give "
           "a new one",
           path_);
}

std::string ExplanationFolder::write(const std::string& image, const Tensor& pixels, const Tensor& map) {
  const std::string stem = std::filesystem::path(image).stem().string();
  std::string name = stem;
  for (int i = 2; !taken_.insert(name).second; ++i) name = stem + "_" + std::to_string(i);

  const Shape& s = pixels.shape();
  const auto bytes = pixels.data<std::uint8_t>();
  io::Image picture{s[1], s[2], s[3], {bytes.begin(), bytes.end()}};
  if (shown_ == Shown::kInverted) io::invert_image(picture);
  const io::Image overlay = io::overlay_heat_map(picture, map.data<float>(), {map.shape()[1], map.shape()[2]});
  const std::vector<std::uint8_t> png = io::encode_png(overlay);
  const std::string path = (std::filesystem::path(path_) / (name + ".png")).string();
  io::write_file(path, std::as_bytes(std::span(png)));
  return path;
}

}  // namespace innerloop::tools
