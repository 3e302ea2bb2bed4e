// What happens exactly at a kink, at a tie, at extreme values and at a NaN: the conventions that headers state.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "autograd/ops/conv_block.h"
#include "autograd/ops/dropout.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/loss.h"
#include "autograd/ops/pool.h"
#include "autograd/ops/reduce.h"
#include "autograd/transforms.h"
#include "support/compare.h"
#include "support/tolerance.h"

namespace innerloop::test {
namespace {

using namespace autograd;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

Tensor row(const std::vector<double>& x) { return Tensor::from({static_cast<std::int64_t>(x.size())}, x); }

Tensor gradient_of_sum(const Var& y, const Var& x) { return grad(sum_all(y), {x}, Record::kValues)[0].value(); }

TEST(Conventions, ReluAndStepAreFlatAtZero) {
  const Var x = variable(row({-1, -0.0, 0, 1e-300, 2}));
  EXPECT_TRUE(near(relu(x).value(), row({0, 0, 0, 1e-300, 2}), 0));
  EXPECT_TRUE(near(gradient_of_sum(relu(x), x), row({0, 0, 0, 1, 1}), 0));
  EXPECT_TRUE(near(step(x).value(), row({0, 0, 0, 1, 1}), 0));
  EXPECT_TRUE(near(gradient_of_sum(step(x), x), row({0, 0, 0, 0, 0}), 0));
  EXPECT_TRUE(std::isnan(relu(Var(row({kNaN}))).value().item())) << "a NaN is passed on";
}

TEST(Conventions, ATiedMaximumGoesToTheFirst) {
  // Two windows: all equal; and a tie of the second and the last.
  const Var x = variable(Tensor::from({1, 1, 2, 4, 1}, std::vector<double>{3, 3, 1, 7, 3, 3, 2, 7}));
  const Vars y = max_pool_with_choice(x, {});
  EXPECT_TRUE(near(y[0].value().reshape({2}), row({3, 7}), 0));
  EXPECT_EQ(y[1].value().item(0), 0);
  EXPECT_EQ(y[1].value().item(1), 1);
  EXPECT_TRUE(near(gradient_of_sum(y[0], x).reshape({8}), row({1, 0, 0, 1, 0, 0, 0, 0}), 0));
  const Var with_nan = Tensor::from({1, 1, 2, 2, 1}, std::vector<double>{3, kNaN, 1, 7});
  EXPECT_TRUE(std::isnan(max_pool(with_nan, {}).value().item()));
}

TEST(Conventions, OverlappingWindowsAddWhereTheyChooseTheSame) {
  // 3x3 windows with stride 1 over 4x4: all four hold the centre's largest value.
  std::vector<double> image(16, 0);
  image[5] = 9;
  const Var x = variable(Tensor::from({1, 1, 4, 4, 1}, image));
  std::vector<double> expected(16, 0);
  expected[5] = 4;
  EXPECT_TRUE(near(gradient_of_sum(max_pool(x, {3, 3, 1, 1}), x).reshape({16}), row(expected), 0));
}

TEST(Conventions, AConvBlockOfConstantImagesIsItsShiftAndDeadAtZero) {
  // Every pre-activation equals the shift; at a shift of 0 the block is dead and no gradient passes.
  const Tensor x = Tensor::full({1, 2, 4, 4, 1}, DType::kF64, 0.5), w = Tensor::full({1, 1, 1, 1, 2}, DType::kF64, 2);
  const Var gamma = variable(Tensor::full({1, 2}, DType::kF64, 1.5));
  const Var beta = variable(Tensor::from({1, 2}, std::vector<double>{0.75, 0}));
  for (auto block : {conv_block, conv_block_reference}) {
    const ConvBlockResult r = block(x, w, gamma, beta, {});
    for (std::int64_t i = 0; i < r.p.shape().numel(); ++i) EXPECT_EQ(r.p.value().item(i), i % 2 == 0 ? 0.75 : 0);
    EXPECT_TRUE(near(r.mean.value().reshape({2}), row({1, 1}), kForwardF64));
    EXPECT_TRUE(near(r.rstd.value().reshape({2}), row({1 / std::sqrt(1e-5), 1 / std::sqrt(1e-5)}), kForwardF64));
    // 2 images of 2x2 windows live in channel 0, each tied window once.
    EXPECT_TRUE(near(gradient_of_sum(r.p, beta).reshape({2}), row({8, 0}), kForwardF64));
  }
}

TEST(Conventions, CrossEntropyStaysFiniteAtLargeLogits) {
  const Tensor labels = Tensor::from({1, 2}, std::vector<std::int64_t>{0, 1});
  for (DType dtype : {DType::kF32, DType::kF64}) {
    const Tensor extreme = Tensor::from({1, 2, 3}, std::vector<double>{1e4, -1e4, 0, 1e4, -1e4, 0}).to(dtype);
    const Var x = variable(extreme);
    const Var loss = softmax_cross_entropy(x, labels, LossReduction::kSum);
    EXPECT_NEAR(loss.value().item(), 2e4, 2e4 * kForwardF32);
    EXPECT_TRUE(near(gradient_of_sum(loss, x).reshape({6}), row({0, 0, 0, 1, -1, 0}), kForwardF32));
    EXPECT_TRUE(near(softmax(x).value().reshape({6}), row({1, 0, 0, 1, 0, 0}), kForwardF32));
  }
}

TEST(Conventions, AccuracyCountsTheFirstOfTiedLogits) {
  const Tensor logits = Tensor::from({2, 2, 3}, std::vector<float>{1, 1, 0, 0, 2, 2, 0, 0, 0, -1, -3, -2});
  EXPECT_TRUE(near(accuracy(logits, Tensor::from({2, 2}, std::vector<std::int64_t>{0, 2, 0, 0})), row({0.5, 1}), 0));
  EXPECT_TRUE(near(accuracy(logits, Tensor::from({2, 2}, std::vector<std::int64_t>{1, 1, 2, 1})), row({0.5, 0}), 0));
  EXPECT_TRUE(throws_with([&] { accuracy(logits, Tensor::zeros({2, 3}, DType::kI64)); }, {"[2, 2, 3]", "[2, 3]"}));
}

TEST(Conventions, ConstantMaxIsTheMaximumAndNoPartOfTheRecord) {
  const Var x = variable(Tensor::from({2, 3}, std::vector<double>{1, 5, -2, -7, -4, -9}));
  const Var last = constant_max(x, {-1}), all = constant_max(x, {0, 1});
  EXPECT_EQ(last.shape(), (Shape{2, 1}));
  EXPECT_TRUE(near(last.value().reshape({2}), row({5, -4}), 0));
  EXPECT_EQ(all.value().item(), 5);
  EXPECT_FALSE(last.tracked());
  EXPECT_TRUE(throws_with([&] { constant_max(x, {2}); }, {"constant_max", "[2, 3]", "2"}));
}

TEST(Conventions, DropoutIsAFunctionOfItsAddress) {
  const Var x = Tensor::full({4, 1000}, DType::kF32, 1);
  const auto mask = [&](DropoutAddress at) { return dropout(x, 0.25, at).value(); };
  EXPECT_TRUE(same_bits({mask({1, 2, 3})}, {mask({1, 2, 3})}));
  for (DropoutAddress other : {DropoutAddress{2, 2, 3}, DropoutAddress{1, 3, 3}, DropoutAddress{1, 2, 4}})
    EXPECT_FALSE(same_bits({mask({1, 2, 3})}, {mask(other)}));
  // Kept: a binomial of 4000 at 0.75, within four standard deviations.
  double kept = 0;
  for (float v : mask({1, 2, 3}).data<float>()) kept += v != 0;
  EXPECT_NEAR(kept, 3000, 4 * std::sqrt(4000 * 0.75 * 0.25));
}

}  // namespace
}  // namespace innerloop::test
