// A look over a PNG's chunks before the decoder sees them. The decoder reads their checksums and the picture's without
// comparing them: a flipped bit would be another picture, without a word.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace innerloop::io {

/// True for bytes that begin a PNG.
bool is_png(std::span<const std::uint8_t> bytes);

/// Throws Error, naming `name` and the chunk, where a chunk's CRC-32 is not that of its type and data. Looks no further than
/// the end chunk, and leaves a file that is cut short to the decoder, which says so.
void check_png_sums(std::span<const std::uint8_t> bytes, const std::string& name);

}  // namespace innerloop::io
