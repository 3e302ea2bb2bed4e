// Metrics and statistics against scikit-learn, scipy and statsmodels: thousands of random cases with ties, missing
// classes and constant scores (tests/golden/make_statistics.py says how they were made).
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "golden_file.h"
#include "io/safetensors.h"
#include "meta/calibration.h"
#include "meta/holm.h"
#include "meta/interval.h"
#include "meta/metrics.h"
#include "meta/wilcoxon.h"
#include "tensor/error.h"

namespace innerloop::meta {
namespace {

/// Sums of at most a hundred terms in another order; quantiles and tails of distributions by other formulas.
constexpr double kSame = 1e-12;

::testing::AssertionResult same(double got, double expected, std::int64_t at) {
  const bool equal =
      std::isnan(expected) ? std::isnan(got) : std::abs(got - expected) <= kSame * std::max(1.0, std::abs(expected));
  if (equal) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "case " << at << ": " << got << " instead of " << expected;
}

/// The cases of one family, one after the other.
class Cases {
 public:
  explicit Cases(const std::string& family) : family_(family) {
    file_ = io::read_safetensors(golden_file("statistics"));
    shape_ = file_.at(family + ".shape").data<std::int64_t>();
  }
  std::int64_t count() const { return static_cast<std::int64_t>(shape_.size()) / 2; }
  std::int64_t size(std::int64_t i) const { return shape_[static_cast<std::size_t>(2 * i)]; }
  std::int64_t width(std::int64_t i) const { return shape_[static_cast<std::size_t>(2 * i + 1)]; }

  /// The next `n` of a list, as doubles.
  template <class T = double>
  std::vector<double> next(const std::string& name, std::int64_t n) {
    std::size_t& at = read_[name];
    const auto part = file_.at(family_ + "." + name).data<T>().subspan(at, static_cast<std::size_t>(n));
    at += static_cast<std::size_t>(n);
    return {part.begin(), part.end()};
  }
  /// Whether every list was read to its end.
  bool all_read() const {
    for (const auto& [name, at] : read_)
      if (static_cast<std::int64_t>(at) != file_.at(family_ + "." + name).numel()) return false;
    return !read_.empty();
  }

 private:
  std::string family_;
  io::TensorFile file_;
  std::span<const std::int64_t> shape_;
  std::map<std::string, std::size_t> read_;
};

TEST(Statistics, ClassificationMeetsScikitLearn) {
  Cases cases("classification");
  ASSERT_EQ(cases.count(), 2000);
  for (std::int64_t i = 0; i < cases.count(); ++i) {
    const int classes = static_cast<int>(cases.width(i));
    const std::vector<double> y = cases.next<std::uint8_t>("labels", cases.size(i));
    std::vector<double> scores = cases.next<std::uint8_t>("scores", cases.size(i) * classes);
    for (double& s : scores) s /= 64;
    const ClassificationReport report = classification_report(std::vector<int>(y.begin(), y.end()), scores, classes);
    for (const bool macro : {false, true}) {
      const std::vector<double> expected = cases.next("expected", 7);
      const auto at = static_cast<std::size_t>(i % classes);
      const ClassScores& got = macro ? report.macro : report.per_class[at];
      const double roc = macro ? report.macro_roc_auc : report.roc_auc[at];
      const double pr = macro ? report.macro_average_precision : report.average_precision[at];
      const double values[] = {got.accuracy, got.precision, got.recall, got.specificity, got.f1, roc, pr};
      for (std::size_t k = 0; k < 7; ++k)
        ASSERT_TRUE(same(values[k], expected[k], i)) << "class " << at << ", macro " << macro << ", measure " << k;
    }
  }
  EXPECT_TRUE(cases.all_read());
}

TEST(Statistics, IntervalsMeetScipy) {
  Cases cases("interval");
  ASSERT_EQ(cases.count(), 300);
  for (std::int64_t i = 0; i < cases.count(); ++i) {
    const std::vector<double> values = cases.next("values", cases.size(i)), expected = cases.next("expected", 3);
    const Estimate estimate = mean_with_t_interval(values, expected[0]);
    ASSERT_TRUE(same(estimate.mean, expected[1], i));
    ASSERT_TRUE(same(estimate.half_width, expected[2], i)) << "n " << values.size() << ", level " << expected[0];
  }
  EXPECT_TRUE(cases.all_read());
}

TEST(Statistics, WilcoxonMeetsScipy) {
  Cases cases("wilcoxon");
  ASSERT_EQ(cases.count(), 900);
  for (std::int64_t i = 0; i < cases.count(); ++i) {
    std::vector<double> a = cases.next<std::uint8_t>("a", cases.size(i)),
                        b = cases.next<std::uint8_t>("b", cases.size(i));
    for (std::vector<double>* values : {&a, &b})
      for (double& v : *values) v = (v - 128) / 16;
    const std::vector<double> expected = cases.next("expected", 3);
    const SignedRank test = wilcoxon_signed_rank(a, b), turned = wilcoxon_signed_rank(b, a);
    ASSERT_EQ(test.positive, expected[0]) << i;
    ASSERT_EQ(test.negative, expected[1]) << i;
    ASSERT_TRUE(same(test.p, expected[2], i)) << "n " << test.n << ", zeros " << test.zeros;
    ASSERT_EQ(turned.negative, test.positive);
    ASSERT_TRUE(same(turned.p, test.p, i));
    ASSERT_EQ(test.n + test.zeros, cases.size(i));
    ASSERT_EQ(test.exact, test.n <= kWilcoxonExact);
  }
  EXPECT_TRUE(cases.all_read());
}

TEST(Statistics, HolmMeetsStatsmodels) {
  Cases cases("holm");
  ASSERT_EQ(cases.count(), 300);
  for (std::int64_t i = 0; i < cases.count(); ++i) {
    const std::vector<double> adjusted = holm_adjusted(cases.next("values", cases.size(i)));
    const std::vector<double> expected = cases.next("expected", cases.size(i));
    for (std::size_t k = 0; k < expected.size(); ++k) ASSERT_TRUE(same(adjusted[k], expected[k], i));
  }
  EXPECT_TRUE(cases.all_read());
}

TEST(Statistics, CalibrationMeetsScikitLearn) {
  Cases cases("calibration");
  ASSERT_EQ(cases.count(), 400);
  for (std::int64_t i = 0; i < cases.count(); ++i) {
    std::vector<double> confidence = cases.next<std::uint8_t>("confidence", cases.size(i));
    for (double& c : confidence) c /= 200;
    const std::vector<double> outcome = cases.next<std::uint8_t>("right", cases.size(i));
    const Calibration got = calibration(confidence, std::vector<std::uint8_t>(outcome.begin(), outcome.end()),
                                        static_cast<int>(cases.width(i)));
    const std::vector<double> expected = cases.next("expected", 2 + 3 * cases.width(i));
    ASSERT_TRUE(same(got.expected_error, expected[0], i));
    ASSERT_TRUE(same(got.largest_error, expected[1], i));
    for (std::size_t b = 0; b < got.bins.size(); ++b) {
      ASSERT_EQ(static_cast<double>(got.bins[b].count), expected[2 + 3 * b]) << i << ", bin " << b;
      ASSERT_TRUE(same(got.bins[b].confidence, expected[3 + 3 * b], i)) << "bin " << b;
      ASSERT_TRUE(same(got.bins[b].accuracy, expected[4 + 3 * b], i)) << "bin " << b;
    }
  }
  EXPECT_TRUE(cases.all_read());
}

TEST(Statistics, NothingToTell) {
  const std::vector<double> a{0.5, 0.25, 1}, one{0.5};
  const SignedRank equal = wilcoxon_signed_rank(a, a);
  EXPECT_EQ(equal.p, 1);
  EXPECT_EQ(equal.n, 0);
  EXPECT_EQ(equal.zeros, 3);
  EXPECT_TRUE(std::isnan(mean_with_t_interval(one).half_width));
  EXPECT_EQ(mean_with_t_interval(std::vector<double>{0.5, 0.5, 0.5}).half_width, 0);
  EXPECT_TRUE(holm_adjusted({}).empty());
  // Ten folds all for one side: the smallest p that ten pairs can give.
  std::vector<double> better(10), worse(10, 0.0);
  for (std::size_t i = 0; i < 10; ++i) better[i] = 0.1 + 0.01 * static_cast<double>(i);
  EXPECT_EQ(wilcoxon_signed_rank(better, worse).p, 2.0 / 1024);
}

TEST(Statistics, RefusesWhatCannotBeMeant) {
  const std::vector<double> two{0.5, 0.25}, one{0.5}, broken{0.5, std::nan("")};
  EXPECT_THROW(wilcoxon_signed_rank(two, one), Error);
  EXPECT_THROW(wilcoxon_signed_rank(two, broken), Error);
  EXPECT_THROW(mean_with_t_interval({}), Error);
  EXPECT_THROW(mean_with_t_interval(broken), Error);
  EXPECT_THROW(mean_with_t_interval(two, 1), Error);
  EXPECT_THROW(student_t_within(-1, 3), Error);
  EXPECT_THROW(holm_adjusted(std::vector<double>{1.5}), Error);
  EXPECT_THROW(holm_adjusted(broken), Error);
  const std::vector<std::uint8_t> right{1, 0};
  EXPECT_THROW(calibration(two, right, 0), Error);
  EXPECT_THROW(calibration(one, right), Error);
  EXPECT_THROW(calibration(broken, right), Error);
  EXPECT_THROW(calibration_of(std::vector<int>{0, 1}, two, 2), Error);
}

TEST(Statistics, CalibrationOfClassProbabilities) {
  const std::vector<double> p{0.7, 0.3, 0.4, 0.6, 0.5, 0.5};
  const Calibration c =
      calibration_of(std::vector<int>{0, 0, 1}, p, 2, 5);  // right, wrong, wrong (a tie goes to the first)
  EXPECT_EQ(c.bins[3].count, 1);                           // 0.7
  EXPECT_EQ(c.bins[2].count, 2);                           // 0.6 and 0.5
  EXPECT_DOUBLE_EQ(c.bins[2].confidence, 0.55);
  EXPECT_EQ(c.bins[2].accuracy, 0);
  EXPECT_DOUBLE_EQ(c.expected_error, (2 * 0.55 + 0.3) / 3);
}

}  // namespace
}  // namespace innerloop::meta
