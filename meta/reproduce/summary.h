// Summary: from the answers of units to scores, intervals, curves and tests.
//
//   by fold   every score of a fold's answers alone; their mean and its 95 % interval by Student's t over folds
//   pooled    the answers of all folds together: confusion, ROC and precision-recall curves, reliability
//   tests     umlf against every other system on the accuracies of the same folds: Wilcoxon's signed ranks, two-sided,
//   Holm's
//             correction over the tests of one number of ways and shots
// The training sets of folds overlap, so their scores are not independent: intervals and p values over folds are too
// narrow (Nadeau and Bengio, Machine Learning 52:239, 2003). A report has to say so.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "meta/calibration.h"
#include "meta/metrics.h"
#include "meta/reproduce/sizes.h"
#include "meta/reproduce/unit.h"
#include "meta/wilcoxon.h"

namespace innerloop::meta::reproduce {

enum class Score : std::uint8_t {
  kAccuracy,
  kPrecision,
  kRecall,
  kSpecificity,
  kF1,
  kRocAuc,
  kPrAuc,
  kCalibrationError
};
inline constexpr std::array kScores = {Score::kAccuracy, Score::kPrecision, Score::kRecall, Score::kSpecificity,
                                       Score::kF1,       Score::kRocAuc,    Score::kPrAuc,  Score::kCalibrationError};
/// "accuracy", .., "expected_calibration_error"; all but accuracy and the last are macro means over classes.
std::string_view name_of(Score score);

/// One system at one number of ways and shots, over its folds.
struct Cell {
  std::int64_t ways = 0, shots = 0;
  std::string system, title;  ///< key, and words for readers: with its side where it has one of its own
  std::vector<std::string> classes;
  std::vector<std::int64_t> folds;  ///< those that are done, rising
  std::array<std::vector<double>, kScores.size()> by_fold;
  std::array<Estimate, kScores.size()> mean;  ///< NaN where no fold has the score
  ClassificationReport pooled{1};
  std::vector<Curve> roc, precision_recall;                                                       ///< [ways], pooled
  Calibration calibration;                                                                        ///< pooled
  double train_seconds = 0, predict_seconds = 0, shared_seconds = 0, iterations = 0, labels = 0;  ///< means over folds
  std::int64_t parameters = 0;

  const std::vector<double>& of(Score score) const { return by_fold[static_cast<std::size_t>(score)]; }
  const Estimate& estimate(Score score) const { return mean[static_cast<std::size_t>(score)]; }
};

struct PairedTest {
  std::int64_t ways = 0, shots = 0;
  std::string system, other;
  double difference = 0;  ///< mean over the common folds of the accuracy of `system` less that of `other`
  SignedRank ranks;
  double adjusted = 1;  ///< p after Holm's correction
};

struct Summary {
  std::vector<Cell> cells;  ///< by ways, then shots, then the systems in the order of the tables
  std::vector<PairedTest> tests;
  std::vector<std::int64_t> ways, shots;  ///< that occur among the compared systems, rising
  Sizes sizes;                            ///< of systems that see another side than the rest

  std::string title(std::string_view system) const;
  const Cell* find(std::int64_t n, std::string_view system, std::int64_t k) const;
  /// The cells of the compared systems at one number of ways and shots.
  std::vector<const Cell*> at(std::int64_t n, std::int64_t k) const;
};

/// `units` sorted by key (UnitStore::load_all), `sizes` those of their plan.
Summary summarise(const std::vector<UnitResult>& units, const Sizes& sizes = {});

}  // namespace innerloop::meta::reproduce
