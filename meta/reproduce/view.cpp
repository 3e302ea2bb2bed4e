#include "meta/reproduce/view.h"

#include <algorithm>
#include <cmath>

namespace innerloop::meta::reproduce {
namespace {

/// The blanked part of a side: [first, last).
struct Inner {
  std::int64_t first, last;
};

Inner inner_of(std::int64_t side) {
  const auto frame = static_cast<std::int64_t>(std::llround(static_cast<double>(side) * (1 - kBlankShare) / 2));
  return {frame, side - frame};
}

}  // namespace

io::ImageSet border_alone(const io::ImageSet& set) {
  io::ImageSet out = set;
  out.pixels = set.pixels.clone();
  auto pixels = out.pixels.mutable_data<std::uint8_t>();
  const Inner rows = inner_of(set.height), columns = inner_of(set.width);
  for (std::int64_t n = 0; n < set.count(); ++n) {
    for (std::int64_t y = rows.first; y < rows.last; ++y) {
      const std::int64_t row = (n * set.height + y) * set.width;
      std::fill(pixels.begin() + (row + columns.first) * set.channels,
                pixels.begin() + (row + columns.last) * set.channels, std::uint8_t{0});
    }
  }
  return out;
}

}  // namespace innerloop::meta::reproduce
