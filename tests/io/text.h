// What tests ask of a text.
#pragma once

#include <string>

namespace innerloop::io {

inline bool contains(const std::string& text, const std::string& piece) { return text.find(piece) != std::string::npos; }

}  // namespace innerloop::io
