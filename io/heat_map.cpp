#include "io/heat_map.h"

#include <algorithm>
#include <cmath>

#include "tensor/error.h"

namespace innerloop::io {
namespace {

struct Colour {
  float red, green, blue;
};

/// Yellow for a little, red for much: both are told from grey, and from each other by brightness alone.
Colour heat(float value) { return {255, 230 * (1 - value), 40 * (1 - value)}; }

/// The map at the image's pixel `at` of `extent`, as a place between two cells of `cells`.
struct Between {
  std::size_t low, high;
  float share;  ///< of high
};

Between between(std::int64_t at, std::int64_t extent, std::int64_t cells) {
  const float place = (static_cast<float>(at) + 0.5f) * static_cast<float>(cells) / static_cast<float>(extent) - 0.5f;
  const float clamped = std::clamp(place, 0.0f, static_cast<float>(cells - 1));
  const auto low = static_cast<std::size_t>(clamped);
  return {low, std::min(low + 1, static_cast<std::size_t>(cells - 1)), clamped - static_cast<float>(low)};
}

std::uint8_t mix(float under, float over, float share) {
  return static_cast<std::uint8_t>(std::lround(under + share * (over - under)));
}

}  // namespace

Image overlay_heat_map(const Image& image, std::span<const float> map, ImageSize size) {
  IL_CHECK(image.height >= 1 && image.width >= 1, "heat map: the image has no pixel");
  IL_CHECK(size.height >= 1 && size.width >= 1 && static_cast<std::int64_t>(map.size()) == size.height * size.width,
           "heat map: {} values for {}x{}", map.size(), size.height, size.width);
  for (float v : map) IL_CHECK(v >= 0 && v <= 1, "heat map: the value {} is not in [0, 1]", v);
  constexpr float kCover = 0.6f;  // the image stays visible under the hottest place
  const Image rgb = convert_channels(image, 3);
  Image out{image.height, 2 * image.width, 3, {}};
  out.pixels.resize(static_cast<std::size_t>(out.height * out.width * 3));
  for (std::int64_t y = 0; y < image.height; ++y) {
    const Between rows = between(y, image.height, size.height);
    for (std::int64_t x = 0; x < image.width; ++x) {
      const Between columns = between(x, image.width, size.width);
      const auto at = [&](std::size_t row, std::size_t column) { return map[row * static_cast<std::size_t>(size.width) + column]; };
      const float above = std::lerp(at(rows.low, columns.low), at(rows.low, columns.high), columns.share);
      const float below = std::lerp(at(rows.high, columns.low), at(rows.high, columns.high), columns.share);
      const float value = std::lerp(above, below, rows.share);
      const Colour colour = heat(value);
      const std::uint8_t* from = rgb.pixels.data() + 3 * (y * image.width + x);
      std::uint8_t* plain = out.pixels.data() + 3 * (y * out.width + x);
      std::uint8_t* covered = plain + 3 * image.width;
      std::copy(from, from + 3, plain);
      covered[0] = mix(from[0], colour.red, kCover * value);
      covered[1] = mix(from[1], colour.green, kCover * value);
      covered[2] = mix(from[2], colour.blue, kCover * value);
    }
  }
  return out;
}

}  // namespace innerloop::io
