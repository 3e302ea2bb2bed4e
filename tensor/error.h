// Errors: one exception type, formatted once, thrown where the fault is first known.
//
// An error text is one line: it names the file, key or op, what is wrong, and what to do about it. Library code throws
// and never prints or exits; the command line turns an Error into exit code 1 and a UsageError into exit code 2.
#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace innerloop {

/// The work failed: bad data, a diverged run, a missing device, an op called with shapes that do not fit.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The caller asked for something that cannot be meant: an unknown key, a value out of its range.
class UsageError : public Error {
 public:
  using Error::Error;
};

template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) {
  throw Error(fmt::format(text, std::forward<Args>(args)...));
}

template <class... Args>
[[noreturn]] void fail_usage(fmt::format_string<Args...> text, Args&&... args) {
  throw UsageError(fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace innerloop

/// Throws innerloop::Error with the formatted text unless `condition` holds. Always on: it guards the callers' input.
#define IL_CHECK(condition, ...)                     \
  do {                                               \
    if (!(condition)) ::innerloop::fail(__VA_ARGS__); \
  } while (false)
