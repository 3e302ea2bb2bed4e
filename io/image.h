// Images as bytes: decode, resize, invert, encode.
//
// Reads PNG (1 to 16 bits), JPEG, BMP, TGA, PGM and PPM (binary or in digits); alpha is dropped. 16-bit PNG samples are windowed (window.h);
// 16-bit PGM and PPM state their own range and are scaled from it. Grey is (77 R + 150 G + 29 B) / 256. A file that ends
// before its picture does is an error, also where common decoders would fill in grey, and so is a PNG whose checksums do
// not match. Integer arithmetic throughout, but
// for windows that metadata gives: the same bits on every machine.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/window.h"

namespace innerloop::io {

struct Image {
  std::int64_t height = 0, width = 0, channels = 0;
  std::vector<std::uint8_t> pixels;  ///< [height, width, channels]
  int stored_bits = 8;               ///< a sample of the file that it was decoded from: 8 (or fewer), or 16
};

struct ImageSize {
  std::int64_t height = 0, width = 0;
  friend bool operator==(const ImageSize&, const ImageSize&) = default;
  friend auto operator<=>(const ImageSize&, const ImageSize&) = default;
};

inline constexpr std::int64_t kMaxImageSide = 20000;
inline constexpr std::int64_t kMaxImagePixels = 100'000'000;

/// True for .png .jpg .jpeg .bmp .tga .pgm .ppm, in any case.
bool has_image_extension(std::string_view file_name);

/// Decodes to `channels` = 1 (grey) or 3 (RGB). Throws Error naming the file: not an image, truncated, corrupt, 0
/// pixels, over kMaxImageSide on a side or over kMaxImagePixels in all (told from the header, before memory is asked
/// for).
/// `hints`: what metadata beside the file says of it.
Image decode_image(const std::string& path, int channels, const DisplayHints& hints = {});
/// The same from memory; `name` stands for the file in errors and its extension decides what a TGA is (it has no mark).
Image decode_image(std::span<const std::uint8_t> bytes, const std::string& name, int channels,
                   const DisplayHints& hints = {});

/// To height x width. An axis that shrinks averages the covered area, an axis that grows interpolates linearly between
/// pixel centres (edges repeat). 16-bit weights that sum to one exactly: a constant image stays constant.
Image resize_image(const Image& image, std::int64_t height, std::int64_t width);

/// value -> 255 - value, in place.
void invert_image(Image& image);
void invert_pixels(std::span<std::uint8_t> pixels);

/// To 1 or 3 channels by the formula above; grey to RGB repeats the value.
Image convert_channels(const Image& image, std::int64_t channels);

/// The bytes of a PNG file (1 or 3 channels). Throws Error for an empty image.
std::vector<std::uint8_t> encode_png(const Image& image);

}  // namespace innerloop::io
