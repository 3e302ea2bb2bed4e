#include "meta/calibration.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/error.h"

namespace innerloop::meta {

Calibration calibration(std::span<const double> confidence, std::span<const std::uint8_t> right, int bins) {
  IL_CHECK(bins >= 1, "calibration: {} bins; at least one is needed", bins);
  IL_CHECK(!confidence.empty() && confidence.size() == right.size(),
           "calibration: {} confidences and {} outcomes; as many of each are needed, and at least one",
           confidence.size(), right.size());
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  Calibration out;
  const double width = 1.0 / bins;
  std::vector<double> inner_edges;
  for (int i = 0; i < bins; ++i) {
    out.bins.push_back({i * width, i + 1 == bins ? 1 : (i + 1) * width, 0, 0, 0});
    if (i > 0) inner_edges.push_back(i * width);
  }
  for (std::size_t i = 0; i < confidence.size(); ++i) {
    IL_CHECK(confidence[i] >= 0 && confidence[i] <= 1, "calibration: confidence {} is {}, not in [0, 1]", i,
             confidence[i]);
    const auto at = std::ranges::lower_bound(inner_edges, confidence[i]) - inner_edges.begin();
    ReliabilityBin& bin = out.bins[static_cast<std::size_t>(at)];
    ++bin.count;
    bin.confidence += confidence[i];
    bin.accuracy += right[i] != 0 ? 1 : 0;
  }
  for (ReliabilityBin& bin : out.bins) {
    const auto count = static_cast<double>(bin.count);
    bin.confidence = bin.count == 0 ? kNaN : bin.confidence / count;
    bin.accuracy = bin.count == 0 ? kNaN : bin.accuracy / count;
    if (bin.count == 0) continue;
    const double error = std::abs(bin.accuracy - bin.confidence);
    out.expected_error += count / static_cast<double>(confidence.size()) * error;
    out.largest_error = std::max(out.largest_error, error);
  }
  return out;
}

Calibration calibration_of(std::span<const int> labels, std::span<const double> probabilities, int classes, int bins) {
  IL_CHECK(classes >= 1 && probabilities.size() == labels.size() * static_cast<std::size_t>(classes),
           "calibration: {} probabilities for {} labels of {} classes; give one for each class of each image",
           probabilities.size(), labels.size(), classes);
  std::vector<double> confidence;
  std::vector<std::uint8_t> right;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto row = probabilities.subspan(i * static_cast<std::size_t>(classes), static_cast<std::size_t>(classes));
    const auto best = std::ranges::max_element(row);
    confidence.push_back(*best);
    right.push_back(best - row.begin() == labels[i] ? 1 : 0);
  }
  return calibration(confidence, right, bins);
}

}  // namespace innerloop::meta
