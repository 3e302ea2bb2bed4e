// Classification metrics over the predictions of labelled episodes.
//
// Definitions and conventions are scikit-learn's. A ratio whose denominator is zero (no prediction of a class, no image
// of it) is 0, as with zero_division=0. A ranking measure that does not exist (ROC without both kinds, PR without a
// positive) is NaN, and means over classes leave it out. All counts are integers, so results do not depend on the order
// of samples.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace innerloop::meta {

/// counts[truth][predicted].
class ConfusionMatrix {
 public:
  /// Throws Error unless classes >= 1.
  explicit ConfusionMatrix(int classes);

  /// Counts one image. Throws Error when a label is not in [0, classes).
  void add(int truth, int predicted);

  int classes() const { return classes_; }
  std::int64_t count(int truth, int predicted) const;
  std::int64_t total() const { return total_; }
  std::int64_t correct() const;
  /// correct / total. Throws Error when nothing was counted.
  double accuracy() const;

 private:
  int classes_;
  std::int64_t total_ = 0;
  std::vector<std::int64_t> counts_;
};

struct ClassScores {
  double precision = 0;      ///< tp / (tp + fp)
  double recall = 0;         ///< tp / (tp + fn), also called sensitivity
  double specificity = 0;    ///< tn / (tn + fp)
  double f1 = 0;             ///< 2 tp / (2 tp + fp + fn)
  std::int64_t support = 0;  ///< images whose truth is the class
  double accuracy = 0;       ///< (tp + tn) / all, of the class against the rest
};

/// One class against the rest. Throws Error when `c` is not in [0, classes).
ClassScores class_scores(const ConfusionMatrix& matrix, int c);

/// The unweighted mean over the classes that occur as a truth or as a prediction; support is their sum. Throws Error
/// when nothing was counted.
ClassScores macro_scores(const ConfusionMatrix& matrix);

struct Estimate {
  double mean = 0;
  double half_width = 0;  ///< of the 95 % interval mean +- half_width; NaN for a single value, whose spread is unknown
  std::int64_t n = 0;
};

/// The mean of independent values, such as the accuracies of episodes, with its 95 % interval by the normal
/// approximation: half_width = 1.959964 * s / sqrt(n), s the sample standard deviation (divisor n - 1). Throws Error
/// when empty.
Estimate mean_with_interval(std::span<const double> values);

/// One point a distinct score, from the highest on, after a first point at threshold +infinity. An image is predicted
/// positive when its score >= threshold; tied scores enter together.
struct Curve {
  std::vector<double> threshold;
  std::vector<double> x, y;
};

// `positive` says of each image whether it is of the class in question (0 or 1), `scores` how strongly it is predicted
// to be. All of the following throw Error when the two differ in length, are empty, or hold a score that is NaN.

/// x = false positive rate, y = true positive rate, from (0, 0) to (1, 1). A rate whose kind has no image is NaN
/// throughout.
Curve roc_curve(std::span<const std::uint8_t> positive, std::span<const double> scores);

/// Area under the ROC curve by trapezoids: the share of (positive, negative) pairs in the right order, a tie counting
/// half. Exact up to the last division. NaN without a positive or without a negative.
double roc_auc(std::span<const std::uint8_t> positive, std::span<const double> scores);

/// x = recall, y = precision, from (0, 1) on. Recall is NaN throughout when there is no positive. (scikit-learn lists
/// the same points in the opposite order.)
Curve precision_recall_curve(std::span<const std::uint8_t> positive, std::span<const double> scores);

/// sum over points of (recall_i - recall_{i-1}) * precision_i, without interpolation. NaN without a positive.
double average_precision(std::span<const std::uint8_t> positive, std::span<const double> scores);

/// Everything above for one set of predictions.
struct ClassificationReport {
  explicit ClassificationReport(int classes) : confusion(classes) {}

  ConfusionMatrix confusion;
  std::vector<ClassScores> per_class;
  ClassScores macro;
  std::vector<double> roc_auc, average_precision;  ///< of each class against the rest; NaN where undefined
  double macro_roc_auc = 0,
         macro_average_precision = 0;  ///< means over the classes where defined; NaN if there is none
};

/// `labels` [n] in [0, classes), `probabilities` [n, classes]. The prediction is the largest probability, the first of
/// equals. Throws Error when the lengths do not fit, nothing is given, a label is out of range or a probability is NaN.
ClassificationReport classification_report(std::span<const int> labels, std::span<const double> probabilities,
                                           int classes);

}  // namespace innerloop::meta
