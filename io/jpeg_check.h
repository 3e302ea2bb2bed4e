// A look over a JPEG's segments before the decoder sees them. The decoder believes the sizes of Huffman tables; a table
// that claims more than 256 codes would make it write beyond its arrays.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace innerloop::io {

/// True for bytes that begin a JPEG.
bool is_jpeg(std::span<const std::uint8_t> bytes);

/// Throws Error, naming `name`, when a Huffman table has more codes than there are symbols or than its segment holds.
/// Follows markers as loosely as a decoder does: junk between segments and fill bytes are passed over.
void check_jpeg_tables(std::span<const std::uint8_t> bytes, const std::string& name);

}  // namespace innerloop::io
