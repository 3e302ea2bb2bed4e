#include "meta/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "tensor/error.h"

namespace innerloop::meta {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double ratio(std::int64_t part, std::int64_t whole, double undefined) {
  return whole == 0 ? undefined : static_cast<double>(part) / static_cast<double>(whole);
}

/// Counts of images whose score is at least `threshold`.
struct Step {
  double threshold;
  std::int64_t true_positives, false_positives;
};

/// One step a distinct score, in falling order, after the empty one; the last holds all images.
std::vector<Step> ranking(const char* op, std::span<const std::uint8_t> positive, std::span<const double> scores) {
  IL_CHECK(!scores.empty(), "{}: no predictions; evaluate at least one image", op);
  IL_CHECK(positive.size() == scores.size(), "{}: {} labels and {} scores; give one of each for an image", op,
           positive.size(), scores.size());
  for (std::size_t i = 0; i < scores.size(); ++i)
    IL_CHECK(!std::isnan(scores[i]), "{}: score {} is not a number; the model that made it has diverged", op, i);

  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });

  std::vector<Step> steps{{std::numeric_limits<double>::infinity(), 0, 0}};
  for (std::size_t i = 0; i < order.size(); ++i) {
    const double score = scores[order[i]];
    if (i == 0 || score != scores[order[i - 1]]) {
      Step next = steps.back();
      next.threshold = score;
      steps.push_back(next);
    }
    ++(positive[order[i]] != 0 ? steps.back().true_positives : steps.back().false_positives);
  }
  return steps;
}

double mean_of_defined(std::span<const double> values) {
  double sum = 0;
  std::int64_t n = 0;
  for (const double value : values) {
    if (std::isnan(value)) continue;
    sum += value;
    ++n;
  }
  return n == 0 ? kNaN : sum / static_cast<double>(n);
}

}  // namespace

ConfusionMatrix::ConfusionMatrix(int classes) : classes_(classes) {
  IL_CHECK(classes >= 1, "metrics: {} classes; at least one is needed", classes);
  counts_.resize(static_cast<std::size_t>(classes) * static_cast<std::size_t>(classes));
}

void ConfusionMatrix::add(int truth, int predicted) {
  IL_CHECK(truth >= 0 && truth < classes_ && predicted >= 0 && predicted < classes_,
           "metrics: truth {} and prediction {} with {} classes; labels count from 0", truth, predicted, classes_);
  ++counts_[static_cast<std::size_t>(truth) * static_cast<std::size_t>(classes_) + static_cast<std::size_t>(predicted)];
  ++total_;
}

std::int64_t ConfusionMatrix::count(int truth, int predicted) const {
  IL_CHECK(truth >= 0 && truth < classes_ && predicted >= 0 && predicted < classes_,
           "metrics: count({}, {}) of {} classes; labels count from 0", truth, predicted, classes_);
  return counts_[static_cast<std::size_t>(truth) * static_cast<std::size_t>(classes_) +
                 static_cast<std::size_t>(predicted)];
}

std::int64_t ConfusionMatrix::correct() const {
  std::int64_t sum = 0;
  for (int c = 0; c < classes_; ++c) sum += count(c, c);
  return sum;
}

double ConfusionMatrix::accuracy() const {
  IL_CHECK(total_ > 0, "metrics: accuracy of no predictions; evaluate at least one image");
  return ratio(correct(), total_, 0);
}

ClassScores class_scores(const ConfusionMatrix& matrix, int c) {
  const std::int64_t hits = matrix.count(c, c);
  std::int64_t truths = 0, predictions = 0;
  for (int other = 0; other < matrix.classes(); ++other) {
    truths += matrix.count(c, other);
    predictions += matrix.count(other, c);
  }
  const std::int64_t negatives = matrix.total() - truths;
  const std::int64_t false_alarms = predictions - hits;
  return {.precision = ratio(hits, predictions, 0),
          .recall = ratio(hits, truths, 0),
          .specificity = ratio(negatives - false_alarms, negatives, 0),
          .f1 = ratio(2 * hits, truths + predictions, 0),
          .support = truths,
          .accuracy = ratio(hits + negatives - false_alarms, matrix.total(), 0)};
}

ClassScores macro_scores(const ConfusionMatrix& matrix) {
  IL_CHECK(matrix.total() > 0, "metrics: macro scores of no predictions; evaluate at least one image");
  ClassScores mean;
  int present = 0;
  for (int c = 0; c < matrix.classes(); ++c) {
    bool occurs = false;
    for (int other = 0; other < matrix.classes(); ++other)
      occurs = occurs || matrix.count(c, other) > 0 || matrix.count(other, c) > 0;
    if (!occurs) continue;
    const ClassScores scores = class_scores(matrix, c);
    mean.precision += scores.precision;
    mean.recall += scores.recall;
    mean.specificity += scores.specificity;
    mean.f1 += scores.f1;
    mean.support += scores.support;
    mean.accuracy += scores.accuracy;
    ++present;
  }
  mean.precision /= present;
  mean.recall /= present;
  mean.specificity /= present;
  mean.f1 /= present;
  mean.accuracy /= present;
  return mean;
}

Estimate mean_with_interval(std::span<const double> values) {
  IL_CHECK(!values.empty(), "metrics: the mean of no values; run at least one episode");
  const auto n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  constexpr double kQuantile = 1.959963984540054;  // of the standard normal at 0.975
  const double half_width = values.size() == 1 ? kNaN : kQuantile * std::sqrt(squares / (n - 1) / n);
  return {mean, half_width, static_cast<std::int64_t>(values.size())};
}

Curve roc_curve(std::span<const std::uint8_t> positive, std::span<const double> scores) {
  const std::vector<Step> steps = ranking("roc_curve", positive, scores);
  Curve curve;
  for (const Step& step : steps) {
    curve.threshold.push_back(step.threshold);
    curve.x.push_back(ratio(step.false_positives, steps.back().false_positives, kNaN));
    curve.y.push_back(ratio(step.true_positives, steps.back().true_positives, kNaN));
  }
  return curve;
}

double roc_auc(std::span<const std::uint8_t> positive, std::span<const double> scores) {
  const std::vector<Step> steps = ranking("roc_auc", positive, scores);
  // Twice the area, in units of one positive times one negative: below 2^63 for three thousand million images.
  std::int64_t twice = 0;
  for (std::size_t i = 1; i < steps.size(); ++i)
    twice += (steps[i].false_positives - steps[i - 1].false_positives) *
             (steps[i].true_positives + steps[i - 1].true_positives);
  return ratio(twice, 2 * steps.back().true_positives * steps.back().false_positives, kNaN);
}

Curve precision_recall_curve(std::span<const std::uint8_t> positive, std::span<const double> scores) {
  const std::vector<Step> steps = ranking("precision_recall_curve", positive, scores);
  Curve curve;
  for (const Step& step : steps) {
    curve.threshold.push_back(step.threshold);
    curve.x.push_back(ratio(step.true_positives, steps.back().true_positives, kNaN));
    curve.y.push_back(ratio(step.true_positives, step.true_positives + step.false_positives, 1));
  }
  return curve;
}

double average_precision(std::span<const std::uint8_t> positive, std::span<const double> scores) {
  const std::vector<Step> steps = ranking("average_precision", positive, scores);
  double sum = 0;
  for (std::size_t i = 1; i < steps.size(); ++i)
    sum += static_cast<double>(steps[i].true_positives - steps[i - 1].true_positives) *
           ratio(steps[i].true_positives, steps[i].true_positives + steps[i].false_positives, 1);
  return steps.back().true_positives == 0 ? kNaN : sum / static_cast<double>(steps.back().true_positives);
}

ClassificationReport classification_report(std::span<const int> labels, std::span<const double> probabilities,
                                           int classes) {
  ClassificationReport report(classes);
  const auto width = static_cast<std::size_t>(classes);
  IL_CHECK(!labels.empty(), "classification_report: no predictions; evaluate at least one image");
  IL_CHECK(probabilities.size() == labels.size() * width,
           "classification_report: {} probabilities for {} labels of {} classes; give one for each class of each image",
           probabilities.size(), labels.size(), classes);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto row = probabilities.subspan(i * width, width);
    for (std::size_t c = 0; c < width; ++c)
      IL_CHECK(!std::isnan(row[c]),
               "classification_report: probability [{}, {}] is not a number; the model that made it has diverged", i,
               c);
    report.confusion.add(labels[i], static_cast<int>(std::max_element(row.begin(), row.end()) - row.begin()));
  }

  std::vector<std::uint8_t> positive(labels.size());
  std::vector<double> scores(labels.size());
  for (std::size_t c = 0; c < width; ++c) {
    for (std::size_t i = 0; i < labels.size(); ++i) {
      positive[i] = labels[i] == static_cast<int>(c) ? 1 : 0;
      scores[i] = probabilities[i * width + c];
    }
    report.per_class.push_back(class_scores(report.confusion, static_cast<int>(c)));
    report.roc_auc.push_back(roc_auc(positive, scores));
    report.average_precision.push_back(average_precision(positive, scores));
  }
  report.macro = macro_scores(report.confusion);
  report.macro_roc_auc = mean_of_defined(report.roc_auc);
  report.macro_average_precision = mean_of_defined(report.average_precision);
  return report;
}

}  // namespace innerloop::meta
