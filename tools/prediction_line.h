// A line of predict: what an image was taken for.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tools/messages.h"

namespace innerloop::tools {

/// The place of the largest probability; ties go to the first.
std::int64_t likeliest(std::span<const float> p);

/// {"image": ..., "class": ..., "probabilities": {...}}; p [classes].
Json prediction_line(const std::string& image, const std::vector<std::string>& classes, std::span<const float> p);

}  // namespace innerloop::tools
