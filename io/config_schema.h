// The schema: one table of every key, which parsing, printing, checking and help all walk. Internal to io.
//
// A Key<Root> reaches one value inside a Root (the Config, or one augmentation) and says what may stand there. Adding a
// key to the configuration is a member in config.h and a line in config_schema.cpp.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "io/config.h"

namespace innerloop::io::schema {

/// How to reach a T inside a Root.
template <class Root, class T>
struct Access {
  T& (*edit)(Root&);
  const T& (*read)(const Root&);
};

template <class Root, auto... Path>
constexpr auto access() {
  using T = std::remove_reference_t<decltype((std::declval<Root&>() .* ... .* Path))>;
  return Access<Root, T>{[](Root& root) -> T& { return (root .* ... .* Path); },
                         [](const Root& root) -> const T& { return (root .* ... .* Path); }};
}

/// min, min + step, .. up to max.
struct IntegerRange {
  std::int64_t min = 0;
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
  std::int64_t step = 1;
};

enum class End { kClosed, kOpen };

/// A NaN is in no range; an infinity is in none either, because an infinite end is open.
struct RealRange {
  double min = 0;
  End low = End::kClosed;
  double max = std::numeric_limits<double>::infinity();
  End high = End::kOpen;
  bool or_own = false;  ///< -1, too: the system's own
};

template <class Root>
struct Integer {
  Access<Root, std::int64_t> at;
  IntegerRange range;
};
/// A list of at least one integer.
template <class Root>
struct Integers {
  Access<Root, std::vector<std::int64_t>> at;
  IntegerRange range;
  std::size_t max_size;
};
template <class Root>
struct Real {
  Access<Root, double> at;
  RealRange range;
};
template <class Root>
struct Flag {
  Access<Root, bool> at;
};
template <class Root>
struct Text {
  Access<Root, std::string> at;
};

/// How the file spells a choice: as a word, or as a bare integer (`order = 2`).
enum class Spelling { kWord, kInteger };

/// An enum whose enumerators count up from 0; names[i] spells enumerator i.
template <class Root>
struct Choice {
  std::size_t (*read)(const Root&);
  void (*edit)(Root&, std::size_t);
  std::span<const std::string_view> names;
  Spelling spelling;
};

template <class Root>
struct Key {
  std::string_view section;
  std::string_view name;
  std::string_view meaning;
  std::variant<Integer<Root>, Integers<Root>, Real<Root>, Flag<Root>, Text<Root>, Choice<Root>> field;

  std::string path() const { return std::string(section) + "." + std::string(name); }
};

/// The keys of the sections, in the order of the printed file; those of one section are neighbours.
std::span<const Key<Config>> config_keys();
/// The section names in that order, "augment" among them.
std::span<const std::string_view> sections();

template <class Step>
std::span<const Key<Step>> augmentation_keys();
template <>
std::span<const Key<SaltPepper>> augmentation_keys<SaltPepper>();
template <>
std::span<const Key<GaussianNoise>> augmentation_keys<GaussianNoise>();
template <>
std::span<const Key<Shift>> augmentation_keys<Shift>();

/// The names of the augmentations in the order of the variant's alternatives.
std::span<const std::string_view> augmentation_kinds();
/// A default-made augmentation of kind `index`.
Augmentation make_augmentation(std::size_t index);
inline constexpr std::size_t kMaxAugmentations = 8;  ///< what the sampling kernel takes

/// "an integer >= 1", "a number in [0, 1)".
std::string describe(const IntegerRange& range);
std::string describe(const RealRange& range);
bool contains(const IntegerRange& range, std::int64_t value);
bool contains(const RealRange& range, double value);
/// "max" | "none", quoted as the file would spell them.
std::string describe_choices(std::span<const std::string_view> names, Spelling spelling);

/// What may stand at `key`, with its article: "an integer >= 1", "true or false".
template <class Root>
std::string expected(const Key<Root>& key);
/// The value at `key` as TOML.
template <class Root>
std::string print(const Key<Root>& key, const Root& root);
/// Throws UsageError, led by `where`, when the value at `key` is out of its range.
template <class Root>
void check(const Key<Root>& key, const Root& root, std::string_view where);

/// The shortest TOML float that reads back to the same bits.
std::string print_real(double value);
/// A TOML basic string, quoted and escaped.
std::string print_text(std::string_view value);

}  // namespace innerloop::io::schema
