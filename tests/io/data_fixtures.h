// What the tests of the data side share: a folder that goes away, small images, the text of an error.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "io/atomic_file.h"
#include "io/image.h"
#include "tensor/error.h"

namespace innerloop::io {

/// The text of the Error that `f` throws; "" when it throws none.
inline std::string text_of(auto f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

#define EXPECT_SAYS(expression, part)                                                  \
  do {                                                                                 \
    const std::string text_ = text_of([&] { static_cast<void>(expression); });         \
    EXPECT_NE(text_.find(part), std::string::npos) << "it said: " << text_;            \
    EXPECT_EQ(text_.find('\n'), std::string::npos) << "more than one line: " << text_; \
  } while (false)

class TempFolder {
 public:
  TempFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "innerloop-test-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw Error("no temporary folder");
    root_ = pattern;
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  std::string path(const std::string& name = "") const {
    return name.empty() ? root_.string() : (root_ / name).string();
  }
  std::string write(const std::string& name, std::string_view content) const {
    std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
    std::ofstream(path(name), std::ios::binary) << content;
    return path(name);
  }
  /// A grey PNG of height x width whose pixel k is seed + 7 k.
  std::string write_png(const std::string& name, std::int64_t height, std::int64_t width, int seed) const {
    Image image{height, width, 1, std::vector<std::uint8_t>(static_cast<std::size_t>(height * width))};
    for (std::size_t k = 0; k < image.pixels.size(); ++k)
      image.pixels[k] = static_cast<std::uint8_t>(static_cast<std::size_t>(seed) + 7 * k);
    const std::vector<std::uint8_t> png = encode_png(image);
    return write(name, {reinterpret_cast<const char*>(png.data()), png.size()});
  }

 private:
  std::filesystem::path root_;
};

/// Makes a folder and works in it while it lives.
class InFolder {
 public:
  explicit InFolder(const std::string& path) : before_(std::filesystem::current_path()) {
    std::filesystem::create_directories(path);
    std::filesystem::current_path(path);
  }
  ~InFolder() {
    std::error_code ignored;
    std::filesystem::current_path(before_, ignored);
  }
  InFolder(const InFolder&) = delete;
  InFolder& operator=(const InFolder&) = delete;

 private:
  std::filesystem::path before_;
};

}  // namespace innerloop::io
