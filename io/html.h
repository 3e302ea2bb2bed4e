// Text from outside made safe to stand in HTML or SVG, and bytes made into text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace innerloop::io {

/// `text` with the five markup characters as entities, and control characters and broken UTF-8 as U+FFFD. Safe between
/// tags and inside quoted attributes.
std::string escape_html(std::string_view text);

/// RFC 4648, with padding.
std::string base64(std::string_view bytes);

/// "1,027": groups of three, for readers.
std::string with_separators(std::int64_t value);

}  // namespace innerloop::io
