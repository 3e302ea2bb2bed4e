// SHA-256 (FIPS 180-4): names the content of data sets in reports and tells duplicates. Not for secrets.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace innerloop::io {

class Sha256 {
 public:
  Sha256& add(std::span<const std::byte> bytes);
  Sha256& add(std::string_view text) { return add(std::as_bytes(std::span(text.data(), text.size()))); }
  /// Eight little-endian bytes.
  Sha256& add_number(std::int64_t value);
  /// Length and bytes, so that neighbouring texts cannot run into each other.
  Sha256& add_text(std::string_view text) { return add_number(static_cast<std::int64_t>(text.size())).add(text); }
  /// 64 hex digits. Call once, last.
  std::string hex();

 private:
  void block(const std::uint8_t* bytes);

  std::array<std::uint32_t, 8> state_ = {0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au,
                                         0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u};
  std::array<std::uint8_t, 64> pending_{};
  std::uint64_t length_ = 0;  ///< bytes so far
};

}  // namespace innerloop::io
