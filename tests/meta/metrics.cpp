#include "meta/metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "tensor/error.h"
#include "tensor/philox.h"
#include "tests/support/error_of.h"

namespace innerloop::meta {
namespace {

using Bytes = std::vector<std::uint8_t>;
using Doubles = std::vector<double>;

struct Ranked {
  Bytes positive;
  Doubles scores;
};

/// `levels` distinct scores at most: few levels, many ties.
Ranked random_case(std::uint32_t which, std::size_t n, std::uint32_t levels) {
  PhiloxSequence random(1, Stream::kCheck, which);
  Ranked ranked;
  for (std::size_t i = 0; i < n; ++i) {
    ranked.positive.push_back(static_cast<std::uint8_t>(random.below(3) == 0));
    ranked.scores.push_back(random.below(levels) / static_cast<double>(levels) + 0.1 * ranked.positive.back());
  }
  return ranked;
}

/// Images of a kind (positive or not) with a score of at least `threshold`, counted one by one.
double count_at_least(const Ranked& ranked, double threshold, int kind) {
  double n = 0;
  for (std::size_t i = 0; i < ranked.scores.size(); ++i)
    n += ranked.scores[i] >= threshold && (ranked.positive[i] != 0) == (kind != 0);
  return n;
}

constexpr double kAll = -std::numeric_limits<double>::infinity();

/// Mann and Whitney: the share of pairs in the right order.
double auc_by_pairs(const Ranked& ranked) {
  double right = 0, pairs = 0;
  for (std::size_t i = 0; i < ranked.scores.size(); ++i) {
    for (std::size_t j = 0; j < ranked.scores.size(); ++j) {
      if (ranked.positive[i] == 0 || ranked.positive[j] != 0) continue;
      pairs += 1;
      right += ranked.scores[i] > ranked.scores[j] ? 1 : ranked.scores[i] == ranked.scores[j] ? 0.5 : 0;
    }
  }
  return right / pairs;
}

/// The mean over positives of the precision at their own score.
double precision_at_positives(const Ranked& ranked) {
  double sum = 0;
  for (std::size_t i = 0; i < ranked.scores.size(); ++i) {
    if (ranked.positive[i] == 0) continue;
    const double hits = count_at_least(ranked, ranked.scores[i], 1);
    sum += hits / (hits + count_at_least(ranked, ranked.scores[i], 0));
  }
  return sum / count_at_least(ranked, kAll, 1);
}

using test::error_of;

TEST(Ranking, AgreesWithThePairAndThresholdDefinitions) {
  int checked = 0;
  for (std::uint32_t which = 0; which < 200; ++which) {
    const Ranked ranked = random_case(which, 2 + which % 37, 1 + which % 11);
    const double positives = count_at_least(ranked, kAll, 1), negatives = count_at_least(ranked, kAll, 0);
    if (positives == 0 || negatives == 0) continue;
    ++checked;
    EXPECT_NEAR(roc_auc(ranked.positive, ranked.scores), auc_by_pairs(ranked), 1e-14);
    EXPECT_NEAR(average_precision(ranked.positive, ranked.scores), precision_at_positives(ranked), 1e-13);

    const Curve roc = roc_curve(ranked.positive, ranked.scores);
    const Curve pr = precision_recall_curve(ranked.positive, ranked.scores);
    const std::set<double, std::greater<>> distinct(ranked.scores.begin(), ranked.scores.end());
    Doubles thresholds{std::numeric_limits<double>::infinity()};
    thresholds.insert(thresholds.end(), distinct.begin(), distinct.end());
    ASSERT_EQ(roc.threshold, thresholds);
    ASSERT_EQ(pr.threshold, thresholds);
    for (std::size_t i = 0; i < thresholds.size(); ++i) {
      const double hits = count_at_least(ranked, thresholds[i], 1), alarms = count_at_least(ranked, thresholds[i], 0);
      EXPECT_EQ(roc.x[i], alarms / negatives);
      EXPECT_EQ(roc.y[i], hits / positives);
      EXPECT_EQ(pr.x[i], hits / positives);
      EXPECT_EQ(pr.y[i], i == 0 ? 1 : hits / (hits + alarms));
    }
  }
  EXPECT_GT(checked, 150);
}

// The example of scikit-learn's documentation of roc_auc_score, roc_curve and average_precision_score.
TEST(Ranking, KnownExample) {
  const Bytes positive{0, 0, 1, 1};
  const Doubles scores{0.1, 0.4, 0.35, 0.8};
  EXPECT_EQ(roc_auc(positive, scores), 0.75);
  EXPECT_DOUBLE_EQ(average_precision(positive, scores), 0.5 + 0.5 * 2 / 3);
  const Curve roc = roc_curve(positive, scores);
  EXPECT_EQ(roc.x, (Doubles{0, 0, 0.5, 0.5, 1}));
  EXPECT_EQ(roc.y, (Doubles{0, 0.5, 0.5, 1, 1}));
  const Curve pr = precision_recall_curve(positive, scores);
  EXPECT_EQ(pr.x, (Doubles{0, 0.5, 0.5, 1, 1}));
  EXPECT_EQ(pr.y, (Doubles{1, 1, 0.5, 2.0 / 3, 0.5}));
}

TEST(Ranking, AllTiesAreChance) {
  const Bytes positive{1, 0, 0, 1, 0};
  const Doubles scores(5, 0.3);
  EXPECT_EQ(roc_auc(positive, scores), 0.5);
  EXPECT_EQ(average_precision(positive, scores), 0.4);
  EXPECT_EQ(roc_curve(positive, scores).x, (Doubles{0, 1}));
}

TEST(Ranking, BestAndWorstOrder) {
  const Bytes positive{1, 1, 0, 0};
  EXPECT_EQ(roc_auc(positive, Doubles{4, 3, 2, 1}), 1);
  EXPECT_EQ(average_precision(positive, Doubles{4, 3, 2, 1}), 1);
  EXPECT_EQ(roc_auc(positive, Doubles{1, 2, 3, 4}), 0);
}

TEST(Ranking, OneKindOnlyIsUndefined) {
  const Doubles scores{0.2, 0.7};
  EXPECT_TRUE(std::isnan(roc_auc(Bytes{1, 1}, scores)));
  EXPECT_TRUE(std::isnan(roc_auc(Bytes{0, 0}, scores)));
  EXPECT_TRUE(std::isnan(average_precision(Bytes{0, 0}, scores)));
  EXPECT_EQ(average_precision(Bytes{1, 1}, scores), 1);
  EXPECT_TRUE(std::isnan(roc_curve(Bytes{1, 1}, scores).x[1]));
  EXPECT_EQ(roc_curve(Bytes{1, 1}, scores).y, (Doubles{0, 0.5, 1}));
}

TEST(Ranking, RefusesWhatHasNoRanking) {
  EXPECT_EQ(error_of([] { roc_auc({}, {}); }), "roc_auc: no predictions; evaluate at least one image");
  EXPECT_NE(error_of([] {
              average_precision(Bytes{1}, Doubles{1, 2});
            }).find("1 labels and 2 scores"),
            std::string::npos);
  EXPECT_NE(error_of([] {
              roc_curve(Bytes{1, 0}, Doubles{1, std::nan("")});
            }).find("score 1 is not a number"),
            std::string::npos);
}

TEST(Confusion, AgreesWithCountsOneByOne) {
  for (std::uint32_t which = 0; which < 50; ++which) {
    PhiloxSequence random(2, Stream::kCheck, which);
    const int classes = 1 + static_cast<int>(which % 5);
    const int used = 1 + static_cast<int>(random.below(static_cast<std::uint32_t>(classes)));  // the others are absent
    std::vector<int> truth, predicted;
    ConfusionMatrix matrix(classes);
    for (int i = 0; i < 40; ++i) {
      truth.push_back(static_cast<int>(random.below(static_cast<std::uint32_t>(used))));
      predicted.push_back(static_cast<int>(random.below(static_cast<std::uint32_t>(used))));
      matrix.add(truth.back(), predicted.back());
    }
    ClassScores macro;
    double right = 0, occurring = 0;
    for (std::size_t i = 0; i < 40; ++i) right += truth[i] == predicted[i];
    EXPECT_EQ(matrix.accuracy(), right / 40);
    for (int c = 0; c < classes; ++c) {
      double tp = 0, fp = 0, tn = 0, fn = 0;
      for (std::size_t i = 0; i < 40; ++i) {
        tp += truth[i] == c && predicted[i] == c;
        fp += truth[i] != c && predicted[i] == c;
        fn += truth[i] == c && predicted[i] != c;
        tn += truth[i] != c && predicted[i] != c;
      }
      const auto or_zero = [](double a, double b) { return b == 0 ? 0 : a / b; };
      const ClassScores scores = class_scores(matrix, c);
      EXPECT_EQ(scores.precision, or_zero(tp, tp + fp));
      EXPECT_EQ(scores.recall, or_zero(tp, tp + fn));
      EXPECT_EQ(scores.specificity, or_zero(tn, tn + fp));
      EXPECT_EQ(scores.support, static_cast<std::int64_t>(tp + fn));
      EXPECT_NEAR(scores.f1, or_zero(2 * scores.precision * scores.recall, scores.precision + scores.recall), 1e-14);
      if (tp + fp + fn == 0) continue;
      occurring += 1;
      macro.precision += scores.precision;
      macro.recall += scores.recall;
      macro.specificity += scores.specificity;
      macro.f1 += scores.f1;
    }
    const ClassScores mean = macro_scores(matrix);
    EXPECT_NEAR(mean.precision, macro.precision / occurring, 1e-14);
    EXPECT_NEAR(mean.recall, macro.recall / occurring, 1e-14);
    EXPECT_NEAR(mean.specificity, macro.specificity / occurring, 1e-14);
    EXPECT_NEAR(mean.f1, macro.f1 / occurring, 1e-14);
    EXPECT_EQ(mean.support, 40);
  }
}

// The example of scikit-learn's documentation of precision_score, recall_score and f1_score with average='macro'.
TEST(Confusion, KnownExample) {
  const int truth[] = {0, 1, 2, 0, 1, 2}, predicted[] = {0, 2, 1, 0, 0, 1};
  ConfusionMatrix matrix(3);
  for (int i = 0; i < 6; ++i) matrix.add(truth[i], predicted[i]);
  const ClassScores macro = macro_scores(matrix);
  EXPECT_DOUBLE_EQ(macro.precision, 2.0 / 9);
  EXPECT_DOUBLE_EQ(macro.recall, 1.0 / 3);
  EXPECT_DOUBLE_EQ(macro.f1, 4.0 / 15);
  EXPECT_EQ(matrix.count(1, 2), 1);
  EXPECT_EQ(matrix.count(2, 1), 2);
}

TEST(Confusion, OneClassOnly) {
  ConfusionMatrix matrix(3);
  for (int i = 0; i < 4; ++i) matrix.add(1, 1);
  EXPECT_EQ(macro_scores(matrix).recall, 1);
  EXPECT_EQ(macro_scores(matrix).specificity, 0);  // no negative to tell apart
  EXPECT_EQ(class_scores(matrix, 0).precision, 0);
  EXPECT_EQ(class_scores(matrix, 0).specificity, 1);
}

TEST(Confusion, RefusesBadLabelsAndNothing) {
  ConfusionMatrix matrix(2);
  EXPECT_NE(error_of([&] { matrix.accuracy(); }), "");
  EXPECT_NE(error_of([&] { macro_scores(matrix); }), "");
  EXPECT_NE(error_of([&] { matrix.add(2, 0); }).find("truth 2 and prediction 0 with 2 classes"), std::string::npos);
  EXPECT_NE(error_of([&] { matrix.add(0, -1); }), "");
  EXPECT_NE(error_of([] { ConfusionMatrix(0); }), "");
  EXPECT_EQ(matrix.total(), 0);
}

TEST(Interval, IsTheNormalApproximation) {
  const Estimate estimate = mean_with_interval(Doubles{0.2, 0.4, 0.6, 0.8});
  EXPECT_DOUBLE_EQ(estimate.mean, 0.5);
  EXPECT_NEAR(estimate.half_width, 1.959963984540054 * std::sqrt(0.2 / 3 / 4), 1e-15);
  EXPECT_EQ(estimate.n, 4);
  EXPECT_TRUE(std::isnan(mean_with_interval(Doubles{0.3}).half_width));
  EXPECT_EQ(mean_with_interval(Doubles{0.5, 0.5, 0.5}).half_width, 0);
  EXPECT_NE(error_of([] { mean_with_interval({}); }), "");
}

TEST(Interval, CoversTheTruthNineteenTimesInTwenty) {
  int covered = 0;
  constexpr int kRuns = 2000;
  for (std::uint32_t run = 0; run < kRuns; ++run) {
    PhiloxSequence random(3, Stream::kCheck, run);
    Doubles accuracies;
    for (int episode = 0; episode < 100; ++episode) accuracies.push_back(random.below(6) / 5.0);  // mean 0.5
    const Estimate estimate = mean_with_interval(accuracies);
    covered += std::abs(estimate.mean - 0.5) <= estimate.half_width;
  }
  EXPECT_NEAR(covered / static_cast<double>(kRuns), 0.947, 0.02);  // a little below 0.95 at n = 100
}

TEST(Report, PutsTheMeasuresTogether) {
  const std::vector<int> labels{0, 0, 1, 1, 1};
  const Doubles probabilities{0.7, 0.2,  0.1,  //
                              0.4, 0.4,  0.2,  // a tie goes to the first
                              0.1, 0.8,  0.1,  //
                              0.3, 0.3,  0.4,  //
                              0.5, 0.45, 0.05};
  const ClassificationReport report = classification_report(labels, probabilities, 3);
  EXPECT_EQ(report.confusion.count(0, 0), 2);
  EXPECT_EQ(report.confusion.count(1, 1), 1);
  EXPECT_EQ(report.confusion.count(1, 2), 1);
  EXPECT_EQ(report.confusion.count(1, 0), 1);
  EXPECT_DOUBLE_EQ(report.per_class[0].precision, 2.0 / 3);
  EXPECT_EQ(report.macro.support, 5);
  EXPECT_DOUBLE_EQ(report.roc_auc[0], 5.0 / 6);
  EXPECT_DOUBLE_EQ(report.roc_auc[1], 5.0 / 6);
  EXPECT_TRUE(std::isnan(report.roc_auc[2]));  // no image of the third class
  EXPECT_DOUBLE_EQ(report.macro_roc_auc, 5.0 / 6);
  EXPECT_DOUBLE_EQ(report.macro_average_precision, (report.average_precision[0] + report.average_precision[1]) / 2);
  EXPECT_NE(error_of([&] { classification_report(labels, probabilities, 2); }).find("15 probabilities for 5 labels"),
            std::string::npos);
  EXPECT_NE(error_of([] { classification_report({}, {}, 2); }), "");
}

}  // namespace
}  // namespace innerloop::meta
