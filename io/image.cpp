#include "io/image.h"

#include <stb_image.h>
#include <stb_image_write.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <memory>
#include <optional>

#include "io/atomic_file.h"
#include "io/jpeg_check.h"
#include "io/png_check.h"
#include "io/pnm.h"
#include "tensor/error.h"

namespace innerloop::io {
namespace {

std::string lower_extension(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || name.find('/', dot) != std::string_view::npos) return "";
  std::string extension(name.substr(dot));
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension;
}

using ByteView = std::span<const std::uint8_t>;

bool begins_with(ByteView bytes, ByteView mark) {
  return bytes.size() >= mark.size() && std::equal(mark.begin(), mark.end(), bytes.begin());
}

bool is_stb_format(ByteView bytes, const std::string& name) {
  static constexpr std::array<std::uint8_t, 2> kBmp = {'B', 'M'};
  // TGA has no mark; a text file can look like one, so only the name makes it one.
  return is_png(bytes) || is_jpeg(bytes) || begins_with(bytes, kBmp) || lower_extension(name) == ".tga";
}

void check_size(const std::string& name, std::int64_t height, std::int64_t width) {
  IL_CHECK(height > 0 && width > 0, "{}: {}x{} pixels: the image is empty", name, width, height);
  IL_CHECK(height <= kMaxImageSide && width <= kMaxImageSide,
           "{}: {}x{} pixels, at most {} on a side are read; shrink it", name, width, height, kMaxImageSide);
  IL_CHECK(height * width <= kMaxImagePixels, "{}: {}x{} pixels, at most {} million are read; shrink it", name, width,
           height, kMaxImagePixels / 1'000'000);
}

/// Feeds stb from memory and notices when it asks for bytes beyond the end: the decoder would go on with zeros, and the
/// lower part of the picture would be grey without a word.
class Source {
 public:
  explicit Source(ByteView bytes) : bytes_(bytes) {}

  static stbi_io_callbacks callbacks() { return {read, skip, at_end}; }
  bool overran() const { return overran_; }

 private:
  static int read(void* user, char* data, int size) {
    Source& self = *static_cast<Source*>(user);
    // stb's first call fills its look-ahead buffer, and later refills use the same address: those may come up short,
    // but not empty. Any other call asks for exactly what the decoder needs.
    if (self.look_ahead_ == nullptr) self.look_ahead_ = data;
    const std::size_t n = std::min(static_cast<std::size_t>(size), self.bytes_.size() - self.at_);
    if (n < static_cast<std::size_t>(size) && (n == 0 || data != self.look_ahead_)) self.overran_ = true;
    if (n > 0) std::memcpy(data, self.bytes_.data() + self.at_, n);
    self.at_ += n;
    return static_cast<int>(n);
  }
  static void skip(void* user, int n) {
    Source& self = *static_cast<Source*>(user);
    const std::int64_t target = static_cast<std::int64_t>(self.at_) + n;
    if (target > static_cast<std::int64_t>(self.bytes_.size())) self.overran_ = true;
    self.at_ =
        static_cast<std::size_t>(std::clamp<std::int64_t>(target, 0, static_cast<std::int64_t>(self.bytes_.size())));
  }
  static int at_end(void* user) {
    const Source& self = *static_cast<Source*>(user);
    return self.at_ == self.bytes_.size();
  }

  ByteView bytes_;
  std::size_t at_ = 0;
  const char* look_ahead_ = nullptr;
  bool overran_ = false;
};

std::string stb_reason() {
  const char* reason = stbi_failure_reason();
  return reason != nullptr ? reason : "unknown reason";
}

/// The size in a PNG's first chunk, for the error text: stb refuses the impossible ones without naming them.
std::optional<ImageSize> png_size(ByteView bytes) {
  if (bytes.size() < 24 || !is_png(bytes)) return std::nullopt;
  const auto big_endian = [&](std::size_t at) {
    std::int64_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value * 256 + bytes[at + i];
    return value;
  };
  return ImageSize{big_endian(20), big_endian(16)};
}

/// The samples of a 16-bit file: one channel for grey, three for colour, windowed.
Image decode_deep(const stbi_io_callbacks& callbacks, Source& source, int stored, const DisplayHints& hints) {
  int width = 0, height = 0;
  const int channels = stored <= 2 ? 1 : 3;
  const std::unique_ptr<stbi_us, decltype(&stbi_image_free)> decoded(
      stbi_load_16_from_callbacks(&callbacks, &source, &width, &height, &stored, channels), &stbi_image_free);
  if (decoded == nullptr || source.overran()) return {};
  const std::size_t n =
      static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * static_cast<std::size_t>(channels);
  return {height, width, channels, windowed(std::span<const std::uint16_t>(decoded.get(), n), hints.window), 16};
}

bool is_deep(const stbi_io_callbacks& callbacks, ByteView bytes) {
  Source header(bytes);
  return is_png(bytes) && stbi_is_16_bit_from_callbacks(&callbacks, &header) != 0;
}

Image decode_stb(ByteView bytes, const std::string& name, int channels, const DisplayHints& hints) {
  if (const std::optional<ImageSize> size = png_size(bytes)) check_size(name, size->height, size->width);
  if (is_jpeg(bytes)) check_jpeg_tables(bytes, name);
  if (is_png(bytes)) check_png_sums(bytes, name);
  const stbi_io_callbacks callbacks = Source::callbacks();
  int width = 0, height = 0, stored = 0;
  Source header(bytes);
  if (!stbi_info_from_callbacks(&callbacks, &header, &width, &height, &stored))
    fail("{}: {} ({})", name, header.overran() ? "truncated: it ends in its header" : "not a readable image",
         stb_reason());
  check_size(name, height, width);

  Source source(bytes);
  if (is_deep(callbacks, bytes)) {
    const Image deep = decode_deep(callbacks, source, stored, hints);
    IL_CHECK(!source.overran(), "{}: truncated: the file ends before the picture does; get it again", name);
    IL_CHECK(!deep.pixels.empty(), "{}: corrupt: {}; get it again", name, stb_reason());
    return convert_channels(deep, channels);
  }
  const std::unique_ptr<stbi_uc, decltype(&stbi_image_free)> decoded(
      stbi_load_from_callbacks(&callbacks, &source, &width, &height, &stored, channels), &stbi_image_free);
  IL_CHECK(!source.overran(), "{}: truncated: the file ends before the picture does; get it again", name);
  IL_CHECK(decoded != nullptr, "{}: corrupt: {}; get it again", name, stb_reason());
  const std::size_t n =
      static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * static_cast<std::size_t>(channels);
  return {height, width, channels, std::vector<std::uint8_t>(decoded.get(), decoded.get() + n)};
}

}  // namespace

bool has_image_extension(std::string_view file_name) {
  static constexpr std::string_view kKnown[] = {".png", ".jpg", ".jpeg", ".bmp", ".tga", ".pgm", ".ppm"};
  return std::find(std::begin(kKnown), std::end(kKnown), lower_extension(file_name)) != std::end(kKnown);
}

Image decode_image(std::span<const std::uint8_t> bytes, const std::string& name, int channels,
                   const DisplayHints& hints) {
  IL_CHECK(channels == 1 || channels == 3, "{}: {} channels asked for, 1 (grey) or 3 (RGB) are possible", name,
           channels);
  IL_CHECK(!bytes.empty(), "{}: the file is empty", name);
  Image image;
  if (is_pnm(bytes)) {
    const ImageSize size = pnm_size(bytes, name);
    check_size(name, size.height, size.width);
    image = convert_channels(decode_pnm(bytes, name), channels);
  } else {
    IL_CHECK(is_stb_format(bytes, name), "{}: not a PNG, JPEG, BMP, TGA, PGM or PPM image, whatever its name says",
             name);
    image = decode_stb(bytes, name, channels, hints);
  }
  if (hints.photometric == Photometric::kMonochrome1) invert_image(image);
  return image;
}

Image decode_image(const std::string& path, int channels, const DisplayHints& hints) {
  // No image within the limits of size needs more than this, uncompressed at 16 bits and four channels.
  constexpr std::uint64_t kMaxBytes = 8 * kMaxImagePixels + (1 << 20);
  const std::string content = read_file(path, kMaxBytes);
  return decode_image({reinterpret_cast<const std::uint8_t*>(content.data()), content.size()}, path, channels, hints);
}

void invert_pixels(std::span<std::uint8_t> pixels) {
  for (std::uint8_t& p : pixels) p = static_cast<std::uint8_t>(255 - p);
}

void invert_image(Image& image) { invert_pixels(image.pixels); }

Image convert_channels(const Image& image, std::int64_t channels) {
  IL_CHECK(channels == 1 || channels == 3, "image: {} channels asked for, 1 (grey) or 3 (RGB) are possible", channels);
  if (image.channels == channels) return image;
  Image out{image.height, image.width, channels, {}, image.stored_bits};
  const std::size_t n = static_cast<std::size_t>(image.height * image.width);
  out.pixels.resize(n * static_cast<std::size_t>(channels));
  for (std::size_t i = 0; i < n; ++i) {
    if (channels == 3) {
      std::fill_n(out.pixels.begin() + static_cast<std::ptrdiff_t>(3 * i), 3, image.pixels[i]);
    } else {
      const std::uint8_t* p = image.pixels.data() + 3 * i;
      out.pixels[i] = static_cast<std::uint8_t>((77 * p[0] + 150 * p[1] + 29 * p[2]) >> 8);
    }
  }
  return out;
}

std::vector<std::uint8_t> encode_png(const Image& image) {
  IL_CHECK(image.height > 0 && image.width > 0 && (image.channels == 1 || image.channels == 3),
           "png: an image of {}x{} pixels and {} channels cannot be written", image.width, image.height,
           image.channels);
  IL_CHECK(image.pixels.size() == static_cast<std::size_t>(image.height * image.width * image.channels),
           "png: {} bytes of pixels for an image of {}x{}x{}", image.pixels.size(), image.height, image.width,
           image.channels);
  std::vector<std::uint8_t> out;
  const auto append = [](void* user, void* data, int size) {
    const std::uint8_t* bytes = static_cast<const std::uint8_t*>(data);
    static_cast<std::vector<std::uint8_t>*>(user)->insert(static_cast<std::vector<std::uint8_t>*>(user)->end(), bytes,
                                                          bytes + size);
  };
  const int ok = stbi_write_png_to_func(append, &out, static_cast<int>(image.width), static_cast<int>(image.height),
                                        static_cast<int>(image.channels), image.pixels.data(),
                                        static_cast<int>(image.width * image.channels));
  IL_CHECK(ok != 0, "png: an image of {}x{} pixels could not be encoded; is there memory?", image.width, image.height);
  return out;
}

}  // namespace innerloop::io
