// What may stand at a key, how it is printed, and whether it is in range: the parts of the schema that do not depend on
// which key it is.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "io/config_schema.h"
#include "io/utf8.h"
#include "tensor/error.h"

namespace innerloop::io::schema {
namespace {

template <class... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};

std::string print_list(const std::vector<std::int64_t>& values) {
  std::string text = "[";
  for (std::size_t i = 0; i < values.size(); ++i) text += fmt::format("{}{}", i == 0 ? "" : ", ", values[i]);
  return text + "]";
}

std::string spell(std::string_view name, Spelling spelling) {
  return spelling == Spelling::kWord ? print_text(name) : std::string(name);
}

}  // namespace

bool contains(const IntegerRange& range, std::int64_t value) {
  return value >= range.min && value <= range.max && (value - range.min) % range.step == 0;
}

bool contains(const RealRange& range, double value) {
  if (range.or_own && value == -1) return true;
  const bool above = range.low == End::kClosed ? value >= range.min : value > range.min;
  const bool below = range.high == End::kClosed ? value <= range.max : value < range.max;
  return above && below;
}

std::string describe(const IntegerRange& range) {
  if (range.step > 1) {
    std::string text = fmt::format("{}", range.min);
    for (std::int64_t v = range.min + range.step; v <= range.max; v += range.step) text += fmt::format(" | {}", v);
    return text;
  }
  if (range.max == IntegerRange{}.max) return fmt::format("an integer >= {}", range.min);
  return fmt::format("an integer from {} to {}", range.min, range.max);
}

std::string describe(const RealRange& range) {
  const bool low_closed = range.low == End::kClosed;
  const std::string_view own = range.or_own ? "-1 or " : "";
  if (std::isinf(range.max)) return fmt::format("{}a finite number {} {}", own, low_closed ? ">=" : ">", range.min);
  return fmt::format("{}a number in {}{}, {}{}", own, low_closed ? '[' : '(', range.min, range.max,
                     range.high == End::kClosed ? ']' : ')');
}

std::string describe_choices(std::span<const std::string_view> names, Spelling spelling) {
  std::string text;
  for (std::string_view name : names) text += (text.empty() ? "" : " | ") + spell(name, spelling);
  return text;
}

std::string print_real(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::string text = fmt::format("{}", value);
  // TOML tells a float from an integer by its point or exponent.
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string print_text(std::string_view value) {
  std::string text = "\"";
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      text += '\\';
      text += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      text += fmt::format("\\u{:04X}", byte);
    } else {
      text += c;
    }
  }
  return text + '"';
}

template <class Root>
std::string expected(const Key<Root>& key) {
  return std::visit(Overloaded{
                        [](const Integer<Root>& f) { return describe(f.range); },
                        [](const Integers<Root>& f) {
                          return fmt::format("an array of 1 to {} integers, each from {} to {}", f.max_size,
                                             f.range.min, f.range.max);
                        },
                        [](const Real<Root>& f) { return describe(f.range); },
                        [](const Flag<Root>&) { return std::string("true or false"); },
                        [](const Text<Root>&) { return std::string("a string of UTF-8 without control characters"); },
                        [](const Choice<Root>& f) { return describe_choices(f.names, f.spelling); },
                    },
                    key.field);
}

template <class Root>
std::string print(const Key<Root>& key, const Root& root) {
  return std::visit(Overloaded{
                        [&](const Integer<Root>& f) { return fmt::format("{}", f.at.read(root)); },
                        [&](const Integers<Root>& f) { return print_list(f.at.read(root)); },
                        [&](const Real<Root>& f) { return print_real(f.at.read(root)); },
                        [&](const Flag<Root>& f) { return std::string(f.at.read(root) ? "true" : "false"); },
                        [&](const Text<Root>& f) { return print_text(f.at.read(root)); },
                        [&](const Choice<Root>& f) { return spell(f.names[f.read(root)], f.spelling); },
                    },
                    key.field);
}

template <class Root>
void check(const Key<Root>& key, const Root& root, std::string_view where) {
  const bool in_range = std::visit(Overloaded{
                                       [&](const Integer<Root>& f) { return contains(f.range, f.at.read(root)); },
                                       [&](const Integers<Root>& f) {
                                         const std::vector<std::int64_t>& values = f.at.read(root);
                                         return !values.empty() && values.size() <= f.max_size &&
                                                std::all_of(values.begin(), values.end(),
                                                            [&](std::int64_t v) { return contains(f.range, v); });
                                       },
                                       [&](const Real<Root>& f) { return contains(f.range, f.at.read(root)); },
                                       [](const Flag<Root>&) { return true; },
                                       // TOML is UTF-8: anything else could be printed but not read back. A path with
                                       // a zero would end early for the system, and in every error about it.
                                       [&](const Text<Root>& f) {
                                         return is_utf8(f.at.read(root)) && !has_control(f.at.read(root));
                                       },
                                       // Out of range only when a caller cast a wild integer to the enum.
                                       [&](const Choice<Root>& f) { return f.read(root) < f.names.size(); },
                                   },
                                   key.field);
  if (!in_range) fail_usage("{}: found {}, expected {}", where, print(key, root), expected(key));
}

#define IL_INSTANTIATE_SCHEMA(Root)                          \
  template std::string expected(const Key<Root>&);           \
  template std::string print(const Key<Root>&, const Root&); \
  template void check(const Key<Root>&, const Root&, std::string_view);
IL_INSTANTIATE_SCHEMA(Config)
IL_INSTANTIATE_SCHEMA(SaltPepper)
IL_INSTANTIATE_SCHEMA(GaussianNoise)
IL_INSTANTIATE_SCHEMA(Shift)
#undef IL_INSTANTIATE_SCHEMA

}  // namespace innerloop::io::schema
