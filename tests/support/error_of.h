// What a refusal says.
#pragma once

#include <string>

#include "tensor/error.h"

namespace innerloop::test {

/// The text of the Error that `f` throws; empty when it throws none.
template <class F>
std::string error_of(F f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace innerloop::test
