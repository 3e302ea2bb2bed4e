// UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <string_view>

namespace innerloop::io {

/// The length in bytes of the character that `text` starts with; 0 when it starts with none.
std::size_t utf8_length(std::string_view text);

/// Whether all of `text` is UTF-8.
bool is_utf8(std::string_view text);

/// Whether a control character of ASCII is in `text`; the tab is none.
bool has_control(std::string_view text);

}  // namespace innerloop::io
