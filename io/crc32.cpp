#include "io/crc32.h"

#include <array>

namespace innerloop::io {
namespace {

constexpr std::uint32_t kReversedPolynomial = 0xEDB88320u;
constexpr std::size_t kAtOnce = 8;

using CrcTables = std::array<std::array<std::uint32_t, 256>, kAtOnce>;

/// tables[k][b]: what byte b does to the sum when k bytes follow it.
constexpr CrcTables make_crc_tables() {
  CrcTables tables{};
  for (std::uint32_t b = 0; b < 256; ++b) {
    std::uint32_t crc = b;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? kReversedPolynomial : 0);
    tables[0][b] = crc;
  }
  for (std::size_t k = 1; k < kAtOnce; ++k)
    for (std::size_t b = 0; b < 256; ++b) tables[k][b] = tables[k - 1][b] >> 8 ^ tables[0][tables[k - 1][b] & 255];
  return tables;
}

constexpr CrcTables kCrcTables = make_crc_tables();

}  // namespace

Crc32& Crc32::add(std::span<const std::byte> bytes) {
  const auto at = [&](std::size_t i) { return std::to_integer<std::uint32_t>(bytes[i]); };
  const CrcTables& t = kCrcTables;
  std::uint32_t crc = state_;
  std::size_t i = 0;
  for (; bytes.size() - i >= kAtOnce; i += kAtOnce) {
    crc ^= at(i) | at(i + 1) << 8 | at(i + 2) << 16 | at(i + 3) << 24;
    crc = t[7][crc & 255] ^ t[6][crc >> 8 & 255] ^ t[5][crc >> 16 & 255] ^ t[4][crc >> 24] ^ t[3][at(i + 4)] ^
          t[2][at(i + 5)] ^ t[1][at(i + 6)] ^ t[0][at(i + 7)];
  }
  for (; i < bytes.size(); ++i) crc = crc >> 8 ^ t[0][(crc ^ at(i)) & 255];
  state_ = crc;
  return *this;
}

}  // namespace innerloop::io
