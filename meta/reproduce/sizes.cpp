#include "meta/reproduce/sizes.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>
#include <variant>

#include "io/nearest.h"
#include "meta/system_fit.h"
#include "nn/systems/system.h"
#include "tensor/error.h"

namespace innerloop::meta::reproduce {
namespace {

const Contestant& supervised(const std::string& key) {
  std::vector<std::string_view> known;
  for (const Contestant& c : all_contestants()) {
    if (c.learning != Learning::kSupervised) {
      if (c.key == key)
        fail_usage("--size-of: {} is no comparison system: it sees images of --size, as the data set is read", key);
      continue;
    }
    if (c.key == key) return c;
    known.push_back(c.key);
  }
  fail_usage("--size-of: unknown system '{}'; the comparison systems are {}{}", key, fmt::join(known, ", "),
             io::suggestion(key, known));
}

std::int64_t side_of(const Contestant& c, std::string_view text) {
  std::int64_t side = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), side);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  if (!whole || side < 1 || side > kLargestSide)
    fail_usage("--size-of: {}={}: a side is a whole number of pixels from 1 to {}", c.key, text, kLargestSide);
  const std::int64_t least = smallest_side(c);
  if (side < least)
    fail_usage("--size-of: {}={}: images of {}x{} are too small for {}; {} is the least", c.key, side, side, side,
               c.title, least);
  return side;
}

}  // namespace

Sizes parse_sizes(const std::vector<std::string>& assignments) {
  Sizes sizes;
  for (const std::string& text : assignments) {
    const std::size_t sign = text.find('=');
    if (sign == std::string::npos) fail_usage("--size-of: '{}' is not SYSTEM=N, as in vgg19=32", text);
    const Contestant& c = supervised(text.substr(0, sign));
    const std::int64_t side = side_of(c, std::string_view(text).substr(sign + 1));
    if (!sizes.emplace(c.key, side).second) fail_usage("--size-of: {} comes twice; give each system one side", c.key);
  }
  return sizes;
}

std::string words_of(const Sizes& sizes) {
  std::vector<std::string> words;
  for (const auto& [key, side] : sizes) words.push_back(fmt::format("{}={}", key, side));
  return words.empty() ? "none" : fmt::format("{}", fmt::join(words, ","));
}

std::int64_t smallest_side(const Contestant& contestant) {
  io::Config config;
  config.supervised.system = contestant.system;
  return nn::smallest_side(system_options(config, 2).system);
}

std::string title_of(const Contestant& contestant, const Sizes& sizes) {
  const auto own = sizes.find(contestant.key);
  return own == sizes.end() ? contestant.title : fmt::format("{0} ({1}x{1})", contestant.title, own->second);
}

io::Config at_side(io::Config config, std::int64_t side) {
  const double factor = static_cast<double>(side) / static_cast<double>(config.data.size);
  for (io::Augmentation& step : config.augment)
    if (auto* shift = std::get_if<io::Shift>(&step))
      shift->pixels = std::llround(static_cast<double>(shift->pixels) * factor);
  config.data.size = side;
  return config;
}

}  // namespace innerloop::meta::reproduce
