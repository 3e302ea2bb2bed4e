// Messages for people go to stderr, results to stdout: so a pipe sees results alone.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "io/progress.h"

namespace innerloop::tools {

/// Keys keep the order in which they are set.
using Json = nlohmann::ordered_json;

/// Sends spdlog to stderr as plain lines. Call once, first.
void start_messages();

/// A line about what happens.
void say(std::string_view text);
/// A line about what the reader should know before trusting a result.
void warn(std::string_view text);

/// One JSON object on one line of stdout. A number that is not finite becomes null; bytes that are not UTF-8 become
/// U+FFFD.
void print_json(const Json& object);

/// A progress line on stderr for a loop that only counts: "what 12/600  eta 3s". The result is called with (done,
/// total), from any one thread at a time; nothing is shown for a loop that ends within the first half second.
std::function<void(std::int64_t, std::int64_t)> counting_progress(std::string what);

/// Seconds of a clock that never falls.
double now();

/// What io::Progress writes through.
void write_to_stderr(std::string_view text);

}  // namespace innerloop::tools
