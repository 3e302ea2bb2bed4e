#include "tools/prediction_line.h"

#include <algorithm>

namespace innerloop::tools {

std::int64_t likeliest(std::span<const float> p) { return std::ranges::max_element(p) - p.begin(); }

Json prediction_line(const std::string& image, const std::vector<std::string>& classes, std::span<const float> p) {
  Json probabilities = Json::object();
  for (std::size_t c = 0; c < classes.size(); ++c) probabilities[classes[c]] = p[c];
  return {{"image", image},
          {"class", classes[static_cast<std::size_t>(likeliest(p))]},
          {"probabilities", std::move(probabilities)}};
}

}  // namespace innerloop::tools
