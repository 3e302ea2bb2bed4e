// EMCNet's classifiers: they learn, vote by the stated rule, and come back from a file as they were.
#include "meta/ensemble.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "support/compare.h"
#include "tensor/philox.h"

namespace innerloop::meta {
namespace {

using test::throws_with;

struct Points {
  Tensor features;
  std::vector<std::int32_t> labels;
};

/// Clouds of radius `spread` around the corners of a triangle, and two features that say nothing.
Points clouds(std::int64_t each, float spread, std::uint32_t seed) {
  constexpr float kCorner[3][2] = {{0, 0}, {10, 0}, {0, 10}};
  PhiloxSequence random(seed, Stream::kCheck, 77);
  std::vector<float> values;
  Points points;
  for (std::int64_t i = 0; i < 3 * each; ++i) {
    const auto c = static_cast<std::int32_t>(i % 3);
    points.labels.push_back(c);
    for (int a = 0; a < 2; ++a) values.push_back(kCorner[c][a] + spread * (2 * random.uniform() - 1));
    values.push_back(random.uniform());
    values.push_back(5);
  }
  points.features = Tensor::from({3 * each, 4}, values);
  return points;
}

TEST(Ensemble, AllFourLearnWhatIsThere) {
  const Points train = clouds(20, 3, 1), test = clouds(30, 3, 2);
  const auto ensemble = Ensemble::fit(train.features, train.labels, 3);
  const std::vector<std::int32_t> votes = ensemble->votes(test.features);
  for (std::size_t voter = 0; voter < 4; ++voter) {
    int right = 0;
    for (std::size_t i = 0; i < test.labels.size(); ++i) right += votes[4 * i + voter] == test.labels[i] ? 1 : 0;
    EXPECT_GE(right, 85) << "voter " << voter << " of 90";
  }
}

TEST(Ensemble, ProbabilitiesFollowTheVoteAndItsTieRule) {
  const Points train = clouds(12, 9, 1), test = clouds(100, 14, 2);  // clouds that overlap, so that the voters differ
  const auto ensemble = Ensemble::fit(train.features, train.labels, 3);
  const std::vector<std::int32_t> votes = ensemble->votes(test.features);
  const Tensor p = ensemble->probabilities(test.features);
  int ties = 0;
  for (std::size_t i = 0; i < test.labels.size(); ++i) {
    const auto row = p.data<float>().subspan(3 * i, 3);
    float sum = 0;
    std::vector<std::int64_t> count(3);
    for (std::int32_t c = 0; c < 3; ++c) {
      sum += row[static_cast<std::size_t>(c)];
      count[static_cast<std::size_t>(c)] = std::count(votes.begin() + static_cast<std::ptrdiff_t>(4 * i),
                                                      votes.begin() + static_cast<std::ptrdiff_t>(4 * i + 4), c);
    }
    EXPECT_NEAR(sum, 1, 1e-6);
    const auto winner = static_cast<std::size_t>(std::ranges::max_element(row) - row.begin());
    EXPECT_EQ(count[winner], std::ranges::max(count)) << "the class of most votes";
    // Of classes with equally many votes the forest decides: its share is what is left of the probability beyond the
    // votes.
    if (std::ranges::count(count, count[winner]) > 1) {
      ++ties;
      for (std::size_t c = 0; c < 3; ++c) {
        if (count[c] == count[winner]) {
          EXPECT_LE(row[c], row[winner]);
        }
      }
    }
  }
  EXPECT_GT(ties, 0) << "the test has to see a tie";
}

TEST(Ensemble, ComesBackFromItsTextAsItWas) {
  const Points train = clouds(15, 6, 1), test = clouds(40, 8, 2);
  const auto ensemble = Ensemble::fit(train.features, train.labels, 3);
  const std::string text = ensemble->save();
  const auto again = Ensemble::load(text, "here");
  EXPECT_EQ(ensemble->votes(test.features), again->votes(test.features));
  const Tensor a = ensemble->probabilities(test.features), b = again->probabilities(test.features);
  EXPECT_TRUE(std::ranges::equal(a.data<float>(), b.data<float>()));
  EXPECT_TRUE(Ensemble::fit(train.features, train.labels, 3)->save() == text)
      << "the same features give the same classifiers";
}

TEST(Ensemble, TakesOneImageAClassAndTwoClasses) {
  const Points few = clouds(1, 1, 1);
  const auto ensemble = Ensemble::fit(few.features, few.labels, 3);
  EXPECT_EQ(ensemble->probabilities(few.features).shape(), (Shape{3, 3}));
  Points two = clouds(6, 1, 1);
  for (std::int32_t& y : two.labels) y = y == 0 ? 0 : 1;
  EXPECT_EQ(Ensemble::fit(two.features, two.labels, 2)->votes(two.features).size(), 4 * two.labels.size());
}

TEST(Ensemble, NamesWhatIsWrong) {
  const Points train = clouds(5, 3, 1);
  EXPECT_TRUE(throws_with([&] { Ensemble::fit(train.features, train.labels, 4); }, {"emcnet", "no image"}));
  EXPECT_TRUE(throws_with([&] { Ensemble::fit(train.features, {0, 1}, 2); }, {"[15, 4]", "2 labels"}));
  const auto ensemble = Ensemble::fit(train.features, train.labels, 3);
  EXPECT_TRUE(throws_with([&] { ensemble->votes(Tensor::zeros({1, 3}, DType::kF32)); }, {"3 features", "read 4"}));
  EXPECT_TRUE(
      throws_with([&] { Ensemble::load("not a forest", "run/best.safetensors"); }, {"run/best.safetensors", "emcnet"}));
  std::string cut = ensemble->save();
  cut.resize(cut.size() / 2);
  EXPECT_TRUE(throws_with([&] { Ensemble::load(cut, "run/best.safetensors"); }, {"run/best.safetensors", "emcnet"}));
}

}  // namespace
}  // namespace innerloop::meta
