#include "io/png_check.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "io/crc32.h"
#include "tensor/error.h"

namespace innerloop::io {
namespace {

constexpr std::array<std::uint8_t, 8> kPngMark = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
constexpr std::size_t kNumber = 4, kType = 4;  // bytes

std::size_t png_number(std::span<const std::uint8_t> bytes) {
  std::size_t value = 0;
  for (std::size_t i = 0; i < kNumber; ++i) value = value << 8 | bytes[i];
  return value;
}

/// "its IDAT chunk", or "a chunk" where the type itself is damaged.
std::string chunk_name(std::string_view type) {
  const bool letters = std::ranges::all_of(type, [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); });
  return letters ? "its " + std::string(type) + " chunk" : "a chunk";
}

}  // namespace

bool is_png(std::span<const std::uint8_t> bytes) {
  return bytes.size() >= kPngMark.size() && std::ranges::equal(bytes.first(kPngMark.size()), kPngMark);
}

void check_png_sums(std::span<const std::uint8_t> bytes, const std::string& name) {
  // A chunk: the length of its data, the type, the data, the sum.
  std::size_t at = kPngMark.size();
  while (bytes.size() - at >= kNumber + kType + kNumber) {
    const std::size_t length = png_number(bytes.subspan(at));
    const std::string_view type(reinterpret_cast<const char*>(bytes.data() + at + kNumber), kType);
    // The decoder does not look at this length; every other one it follows.
    IL_CHECK(type != "IEND" || length == 0, "{}: damaged: its IEND chunk claims {} bytes; get the file again", name, length);
    if (bytes.size() - at - (kNumber + kType + kNumber) < length) return;
    const std::span<const std::uint8_t> summed = bytes.subspan(at + kNumber, kType + length);
    at += kNumber + kType + length;
    IL_CHECK(Crc32().add(std::as_bytes(summed)).value() == png_number(bytes.subspan(at)),
             "{}: damaged: the checksum of {} does not match; get the file again", name, chunk_name(type));
    at += kNumber;
    if (type == "IEND") return;
  }
}

}  // namespace innerloop::io
