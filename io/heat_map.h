// A heat map laid over an image.
#pragma once

#include <span>

#include "io/image.h"

namespace innerloop::io {

/// `image` beside itself under `map` (values in [0, 1], row-major [height, width], any size): RGB, [H, 2W]. The map is
/// enlarged by bilinear interpolation between the centres of its cells; 0 leaves the image as it is, 1 is red, orange and
/// yellow lie between. Throws Error when the sizes do not fit or a value is not in [0, 1].
Image overlay_heat_map(const Image& image, std::span<const float> map, ImageSize map_size);

}  // namespace innerloop::io
