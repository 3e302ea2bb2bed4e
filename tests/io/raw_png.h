// PNG files made by hand: any bit depth, which our own writer does not have.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace innerloop::io {

inline std::uint32_t crc32(std::string_view bytes) {
  std::uint32_t crc = 0xFFFFFFFFu;
  for (const char c : bytes) {
    crc ^= static_cast<std::uint8_t>(c);
    for (int k = 0; k < 8; ++k) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
  }
  return ~crc;
}

inline std::string big_endian(std::uint32_t v) {
  return {static_cast<char>(v >> 24), static_cast<char>(v >> 16), static_cast<char>(v >> 8), static_cast<char>(v)};
}

inline std::string chunk(const std::string& type, const std::string& data) {
  return big_endian(static_cast<std::uint32_t>(data.size())) + type + data + big_endian(crc32(type + data));
}

/// A PNG by hand: any bit depth, stored (uncompressed) deflate blocks. `rows` has a filter byte before each row.
inline std::string raw_png(std::uint32_t width, std::uint32_t height, int depth, int colour, const std::string& rows) {
  std::uint32_t a = 1, b = 0;
  for (const char c : rows) a = (a + static_cast<std::uint8_t>(c)) % 65521, b = (b + a) % 65521;
  const std::size_t n = rows.size();
  const std::string stored = std::string("\x78\x01\x01", 3) +
                             std::string{static_cast<char>(n & 255), static_cast<char>(n >> 8),
                                         static_cast<char>(~n & 255), static_cast<char>(~n >> 8 & 255)} +
                             rows + big_endian(b << 16 | a);
  const std::string header = big_endian(width) + big_endian(height) +
                             std::string{static_cast<char>(depth), static_cast<char>(colour), 0, 0, 0};
  return "\x89PNG\r\n\x1A\n" + chunk("IHDR", header) + chunk("IDAT", stored) + chunk("IEND", "");
}

/// A grey PNG of 16 bits a sample; samples [height * width].
inline std::string deep_png(std::uint32_t width, std::uint32_t height, const std::vector<std::uint16_t>& samples) {
  std::string rows;
  for (std::size_t y = 0; y < height; ++y) {
    rows += '\0';
    for (std::size_t x = 0; x < width; ++x) {
      const std::uint16_t v = samples[y * width + x];
      rows += {static_cast<char>(v >> 8), static_cast<char>(v & 255)};
    }
  }
  return raw_png(width, height, 16, 0, rows);
}

}  // namespace innerloop::io
