// Where the tests' golden files are.
#pragma once

#include <cstdlib>
#include <string>

namespace innerloop::meta {

/// IL_GOLDEN_DIR of the environment is where a program finds them that was moved to another machine.
inline std::string golden_file(const std::string& name) {
  const char* moved = std::getenv("IL_GOLDEN_DIR");
  return std::string(moved != nullptr ? moved : IL_GOLDEN_DIR) + "/" + name + ".safetensors";
}

}  // namespace innerloop::meta
