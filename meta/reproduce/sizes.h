// Comparison systems that see images of another side than the rest: what the giant nets cost on a CPU decides whether
// they can be run at all, and their publications fix no side for this comparison.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "io/config.h"
#include "meta/reproduce/contestants.h"

namespace innerloop::meta::reproduce {

/// Side in pixels by Contestant::key, for those that have one of their own.
using Sizes = std::map<std::string, std::int64_t>;

/// From "SYSTEM=N", each as --size-of has it. Throws UsageError naming --size-of: not of that form; a system that is
/// not one of the seven supervised ones (listing them) or comes twice; a side that is not a number, is below the
/// system's smallest, or above kLargestSide.
Sizes parse_sizes(const std::vector<std::string>& assignments);
inline constexpr std::int64_t kLargestSide = 4096;  ///< that images are loaded at (io/dataset.h)

/// "vgg19=32,covxnet=32"; "none" for none.
std::string words_of(const Sizes& sizes);

/// The smallest side that a supervised contestant takes.
std::int64_t smallest_side(const Contestant& contestant);

/// The contestant's title, with its side where it has one of its own: "VGG19 (32x32)".
std::string title_of(const Contestant& contestant, const Sizes& sizes);

/// `config` for images of `side` pixels: data.size, and shifts in the same proportion to the side, rounded.
io::Config at_side(io::Config config, std::int64_t side);

}  // namespace innerloop::meta::reproduce
