// Calibration: whether a prediction of 80 % is right eight times in ten.
//
// The confidence of a prediction is its largest probability (of equals the first class's, as metrics.h predicts). Bins
// are equally wide, (i / B, (i + 1) / B], the first with 0; edges are i * (1 / B) in double, as scikit-learn's
// calibration_curve(strategy="uniform") has them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace innerloop::meta {

struct ReliabilityBin {
  double low = 0, high = 0;
  std::int64_t count = 0;
  double confidence = 0;  ///< mean over its predictions; NaN when empty
  double accuracy = 0;    ///< share of them that are right; NaN when empty
};

struct Calibration {
  std::vector<ReliabilityBin> bins;
  double expected_error = 0;  ///< sum over bins of count / n * |accuracy - confidence| (Naeini et al., AAAI 2015)
  double largest_error = 0;   ///< the largest |accuracy - confidence| of a bin
};

/// Of predictions with `confidence` in [0, 1], each right (1) or wrong (0). Throws Error when the lengths differ,
/// nothing is given, a confidence is out of range or bins < 1.
Calibration calibration(std::span<const double> confidence, std::span<const std::uint8_t> right, int bins = 10);

/// The same of class probabilities: `labels` [n] in [0, classes), `probabilities` [n, classes].
Calibration calibration_of(std::span<const int> labels, std::span<const double> probabilities, int classes,
                           int bins = 10);

}  // namespace innerloop::meta
