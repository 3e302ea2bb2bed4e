#include "meta/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/compare.h"

namespace innerloop::meta {
namespace {

std::vector<Tensor> one(std::vector<double> values) {
  return {Tensor::from({1, static_cast<std::int64_t>(values.size())}, values)};
}

/// The row of step `step` of the table.
Tensor row(const OptimizerOptions& o, std::int64_t step) { return schedule_table(o).slice(step - 1, 1).reshape({3}); }

TEST(Optimizer, AdamMeetsThePaperFormulaOverThreeSteps) {
  const OptimizerOptions o{io::Optimizer::kAdam, 0.1, io::Schedule::kConstant, 100, 0};
  std::vector<Tensor> params = one({1.0, -2.0});
  OptimizerState state = init_optimizer(o, params);
  double theta[2] = {1.0, -2.0}, m[2] = {0, 0}, v[2] = {0, 0};
  for (int s = 1; s <= 3; ++s) {
    const double g[2] = {0.5 * s, -1.0 / s};
    std::vector<Tensor> gradient = one({g[0], g[1]});
    update(o, row(o, s), params, state, gradient);
    for (int i = 0; i < 2; ++i) {
      m[i] = 0.9 * m[i] + 0.1 * g[i];
      v[i] = 0.999 * v[i] + 0.001 * g[i] * g[i];
      theta[i] -= 0.1 * (m[i] / (1 - std::pow(0.9, s))) / (std::sqrt(v[i] / (1 - std::pow(0.999, s))) + 1e-8);
      EXPECT_NEAR(params[0].item(i), theta[i], 1e-14);
    }
  }
}

TEST(Optimizer, SgdClipsFirst) {
  const OptimizerOptions o{io::Optimizer::kSgd, 0.5, io::Schedule::kConstant, 100, 2};
  auto params = one({0, 0, 0}), g = one({1, 8, -3});
  OptimizerState state = init_optimizer(o, params);
  update(o, row(o, 1), params, state, g);
  EXPECT_TRUE(test::same_bits(params, one({-0.5, -1, 1})));
  EXPECT_TRUE(state.m.empty());
}

TEST(Optimizer, TheTableFollowsTheSchedule) {
  const OptimizerOptions o{io::Optimizer::kSgd, 2, io::Schedule::kCosine, 4, 0};
  for (std::int64_t s = 1; s <= 4; ++s) {
    EXPECT_EQ(row(o, s).item(0), rate_at(o, s));
    EXPECT_DOUBLE_EQ(row(o, s).item(1), 1 / (1 - std::pow(0.9, s)));
    EXPECT_DOUBLE_EQ(row(o, s).item(2), 1 / (1 - std::pow(0.999, s)));
  }
}

TEST(Optimizer, CosineFallsFromTheRateToZero) {
  OptimizerOptions o{io::Optimizer::kSgd, 2, io::Schedule::kCosine, 4, 0};
  EXPECT_DOUBLE_EQ(rate_at(o, 1), 2);
  EXPECT_DOUBLE_EQ(rate_at(o, 2), 1 + std::sqrt(0.5));
  EXPECT_DOUBLE_EQ(rate_at(o, 3), 1);
  EXPECT_NEAR(rate_at(o, 5), 0, 1e-15);
  o.schedule = io::Schedule::kConstant;
  EXPECT_DOUBLE_EQ(rate_at(o, 3), 2);
}

TEST(Optimizer, NamesListsThatDoNotFit) {
  const OptimizerOptions o;
  auto params = one({1});
  std::vector<Tensor> none;
  OptimizerState state = init_optimizer(o, params);
  EXPECT_TRUE(
      test::throws_with([&] { update(o, row(o, 1), params, state, none); }, {"optimizer", "0 gradients"}));
}

}  // namespace
}  // namespace innerloop::meta
