// PGM and PPM (binary, P5 and P6, or in digits, P2 and P3): the header is a few numbers, so a reader of our own is shorter than the checks that
// a foreign one would need.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "io/image.h"

namespace innerloop::io {

/// True for bytes that begin a PGM or PPM.
bool is_pnm(std::span<const std::uint8_t> bytes);

/// Height and width as the header claims, within 0 .. 10^9. Throws Error, naming `name`, for a broken header.
ImageSize pnm_size(std::span<const std::uint8_t> bytes, const std::string& name);

/// One channel (P2, P5) or three (P3, P6). Samples are scaled from their maximum value to 255. The caller has checked the size.
Image decode_pnm(std::span<const std::uint8_t> bytes, const std::string& name);

}  // namespace innerloop::io
