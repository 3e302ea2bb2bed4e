#include "io/jpeg_check.h"

#include "tensor/error.h"

namespace innerloop::io {
namespace {

constexpr std::uint8_t kStartOfImage = 0xD8, kEndOfImage = 0xD9, kHuffmanTables = 0xC4, kStartOfScan = 0xDA;

bool has_length(std::uint8_t marker) {
  const bool restart = marker >= 0xD0 && marker <= 0xD7;
  return !restart && marker != 0x00 && marker != 0x01 && marker != kStartOfImage && marker != kEndOfImage;
}

/// `tables` is the content of one segment: any number of (id, 16 counts, as many symbols as the counts add up to).
void check_tables(std::span<const std::uint8_t> tables, const std::string& name) {
  while (!tables.empty()) {
    IL_CHECK(tables.size() >= 17, "{}: corrupt: a Huffman table ends in its head; get the file again", name);
    std::size_t codes = 0;
    for (std::size_t i = 1; i <= 16; ++i) codes += tables[i];
    IL_CHECK(codes <= 256 && codes + 17 <= tables.size(),
             "{}: corrupt: a Huffman table of {} codes; get the file again", name, codes);
    tables = tables.subspan(17 + codes);
  }
}

}  // namespace

bool is_jpeg(std::span<const std::uint8_t> bytes) {
  return bytes.size() >= 3 && bytes[0] == 0xFF && bytes[1] == kStartOfImage && bytes[2] == 0xFF;
}

void check_jpeg_tables(std::span<const std::uint8_t> bytes, const std::string& name) {
  std::size_t at = 2;
  for (;;) {
    // The next marker: 0xFF, any number of them, then a byte. Coded data of a scan, where 0xFF is followed by zero or a
    // restart mark, is passed over the same way.
    while (at < bytes.size() && bytes[at] != 0xFF) ++at;
    while (at < bytes.size() && bytes[at] == 0xFF) ++at;
    if (at >= bytes.size()) return;  // cut short: the decoder says so
    const std::uint8_t marker = bytes[at++];
    if (marker == kEndOfImage) return;
    if (!has_length(marker)) continue;
    if (bytes.size() - at < 2) return;
    const std::size_t length = bytes[at] * std::size_t{256} + bytes[at + 1];
    if (marker == kHuffmanTables) {
      IL_CHECK(length >= 2, "{}: corrupt: a segment of {} bytes; get the file again", name, length);
      if (length > bytes.size() - at)
        check_tables(bytes.subspan(at + 2), name);
      else
        check_tables(bytes.subspan(at + 2, length - 2), name);
    }
    // The head of a scan is short and holds no 0xFF that could be mistaken; reading on right behind the marker is safe.
    if (marker != kStartOfScan) at += length >= 2 && length <= bytes.size() - at ? length : 0;
  }
}

}  // namespace innerloop::io
