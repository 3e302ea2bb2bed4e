// CRC-32 (ISO 3309, as in PNG and zip): tells whether bytes are still those that were written. Many times faster than a
// SHA-256, and no name of a content: anybody can make other bytes with the same sum.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace innerloop::io {

class Crc32 {
 public:
  Crc32& add(std::span<const std::byte> bytes);
  Crc32& add(std::string_view text) { return add(std::as_bytes(std::span(text.data(), text.size()))); }
  /// Of all bytes so far.
  std::uint32_t value() const { return ~state_; }

 private:
  std::uint32_t state_ = ~std::uint32_t{0};
};

}  // namespace innerloop::io
