// Costs: FLOPs and bytes of kernels whose figures a person can work out, and who is told of a kernel.
#include "kernels/cost.h"

#include <gtest/gtest.h>

#include <thread>

#include "kernels/conv.h"
#include "kernels/elementwise.h"
#include "kernels/matmul.h"
#include "kernels/norm.h"
#include "kernels/pool.h"
#include "kernels/reduce.h"
#include "kernels/sample.h"
#include "kernels/tally.h"
#include "kernels/update_lists.h"
#include "targets.h"

namespace innerloop::kernels {

/// For this test alone: a kernel made of another, and one that says nothing of its cost.
struct Twice {
  static constexpr std::string_view kName = "twice";
  Affine once;
};
inline KernelCost cost_of(const Twice&) { return {1'000'000, 1'000'000}; }
struct Silent {
  static constexpr std::string_view kName = "silent";
};

namespace {

View shaped(Shape shape, DType dtype = DType::kF32) { return {nullptr, dtype, shape}; }

TEST(Cost, AConvolutionIsItsMultiplyAdds) {
  // 2 tasks, 5 images of 28x28, 1 -> 64 channels, one weight for both tasks.
  const ConvForward k{{.pad_top = 1, .pad_left = 1}, {shaped({2, 5, 28, 28, 1}), {}}, {shaped({1, 3, 3, 1, 64}), {}},
                      shaped({2, 5, 28, 28, 64})};
  EXPECT_EQ(cost_of(k).flops, 2 * 2 * 5 * 28 * 28 * 64 * 9);
  EXPECT_EQ(cost_of(k).bytes, 4 * (2 * 5 * 784 + 9 * 64 + 2 * 5 * 784 * 64));
}

TEST(Cost, ADualConvolutionIsTwoInOnePass) {
  const View x = shaped({3, 2, 6, 6, 4}), gy = shaped({3, 2, 6, 6, 8}), gw = shaped({3, 3, 3, 4, 8});
  const ConvWeightGrad one{{.pad_top = 1, .pad_left = 1}, {x, {}}, {gy, {}}, gw}, two{one.geometry, {x, x}, {gy, gy}, gw};
  EXPECT_EQ(cost_of(two).flops, 2 * cost_of(one).flops);
  EXPECT_EQ(cost_of(two).bytes, 2 * cost_of(one).bytes - bytes_of(gw));
  const ConvInputGrad back{one.geometry, {gy, {}}, {gw, {}}, x};
  EXPECT_EQ(cost_of(back).flops, cost_of(one).flops) << "the three convolutions of a triple have one arithmetic";
}

TEST(Cost, GroupsDivideTheArithmetic) {
  const ConvForward k{{.pad_top = 1, .pad_left = 1, .groups = 4}, {shaped({1, 1, 4, 4, 8}), {}},
                      {shaped({1, 3, 3, 2, 8}), {}}, shaped({1, 1, 4, 4, 8})};
  EXPECT_EQ(cost_of(k).flops, 2 * 16 * 8 * 9 * 2);
}

TEST(Cost, AnOutputThatSumsOverTasksStillTakesEveryTasksWork) {
  const ConvWeightGrad k{{}, {shaped({7, 2, 5, 5, 3}), {}}, {shaped({7, 2, 5, 5, 4}), {}}, shaped({1, 1, 1, 3, 4})};
  EXPECT_EQ(cost_of(k).flops, 2 * 7 * 2 * 25 * 3 * 4);
  const Matmul m{.a = {shaped({7, 9, 2}), {}}, .b = {shaped({7, 2, 4}), {}}, .out = shaped({1, 9, 4})};
  EXPECT_EQ(cost_of(m).flops, 2 * 7 * 9 * 2 * 4);
}

TEST(Cost, AMatmulFindsTheAxisItSumsOver) {
  Matmul k{.transpose_a = Transpose::kYes, .a = {shaped({2, 6, 3}), {}}, .b = {shaped({2, 6, 5}), {}},
           .out = shaped({2, 3, 5}, DType::kF32)};
  EXPECT_EQ(cost_of(k).flops, 2 * 2 * 3 * 5 * 6);
  EXPECT_EQ(cost_of(k).bytes, 4 * 2 * (18 + 30 + 15));
  k.a[1] = k.a[0], k.b[1] = k.b[0];
  EXPECT_EQ(cost_of(k).flops, 2 * 2 * 2 * 3 * 5 * 6);
}

TEST(Cost, AbsentOperandsCostNothing) {
  const View y = shaped({1, 2, 4, 4, 8}), p = shaped({1, 2, 2, 2, 8}), channels = shaped({1, 8});
  NormReluPoolGradJvp k{.y = y, .mean = channels, .rstd = channels, .gamma = {}, .choice = shaped({1, 2, 2, 2, 8}, DType::kU8), .gp = p,
                        .ggamma = channels, .gbeta = channels, .ty = y, .tmean = channels, .trstd = channels, .tgamma = {},
                        .tgp = p, .gy = {}, .tgy = y, .tggamma = channels, .tgbeta = channels};
  const KernelCost without = cost_of(k);
  k.gy = y;
  EXPECT_EQ(cost_of(k).bytes, without.bytes + 4 * 256);
  EXPECT_EQ(cost_of(k).flops, without.flops + 256);
}

TEST(Cost, FloatsOfEitherSizeAndBytesCountAsTheyAre) {
  EXPECT_EQ(cost_of(Affine{.x = shaped({10}), .y = shaped({10})}).bytes, 80);
  EXPECT_EQ(cost_of(Affine{.x = shaped({10}, DType::kF64), .y = shaped({10}, DType::kF64)}).bytes, 160);
  const GatherAugment plain{.images = shaped({100, 8, 8, 1}, DType::kU8), .index = shaped({2, 3}, DType::kI64),
                            .augmentations = {}, .out = shaped({2, 3, 8, 8, 1})};
  EXPECT_EQ(cost_of(plain).bytes, 2 * 3 * 64 * (1 + 4) + 6 * 8) << "only the images that are drawn are read";
}

TEST(Cost, ListsAddUp) {
  const std::vector<ConstView> theta{shaped({1, 3, 3}), shaped({1, 5})}, grad{shaped({2, 3, 3}), shaped({2, 5})};
  const std::vector<View> out{shaped({2, 3, 3}), shaped({2, 5})};
  const KernelCost cost = cost_of(SgdList{.rate = 1, .rate_from = {}, .theta = theta, .grad = grad, .out = out});
  EXPECT_EQ(cost.flops, 2 * 28);
  EXPECT_EQ(cost.bytes, 4 * (14 + 28 + 28));
}

TEST(Cost, AKernelWithoutOneDoesNotCompile) {
  static_assert(StatesItsCost<ConvForward> && StatesItsCost<Twice>);
  static_assert(!StatesItsCost<Silent>);
}

class Watching : public testing::Test {
 protected:
  void affine(Context& context) { run(Affine{.scale = 2, .offset = 1, .x = view(x_), .y = view(y_)}, context); }
  static View view(harness::Memory<float>& values) {
    return {values.data(), DType::kF32, {static_cast<std::int64_t>(values.size())}};
  }
  harness::Memory<float> x_ = harness::Memory<float>(6, 1.0f), y_ = harness::Memory<float>(6);
};

void run_twice(const Twice& k, Context& context) {
  run(k.once, context);
  run(k.once, context);
}

TEST_F(Watching, ATallyCountsWhatRunsWhileItLives) {
  Context context(1, harness::one_target());
  affine(context);
  {
    const KernelTally tally;
    EXPECT_EQ(tally.total(), KernelTally::Entry{});
    affine(context);
    affine(context);
    EXPECT_EQ(tally.total(), (KernelTally::Entry{2, {24, 96}}));
    EXPECT_EQ(tally.by_kernel().at("affine"), tally.total());
    EXPECT_THROW(KernelTally(), Error);
  }
  affine(context);
  harness::wait_for_device();
  const KernelTally again;
  EXPECT_EQ(again.total().calls, 0);
}

TEST_F(Watching, OfAComposedKernelThePartsCount) {
  const Target target = harness::one_target();
  KernelTable<Twice>::entries[static_cast<int>(kernels_of(target))] = &run_twice;
  Context context(1, target);
  const KernelTally tally;
  run(Twice{{.scale = 2, .offset = 1, .x = view(x_), .y = view(y_)}}, context);
  harness::wait_for_device();
  EXPECT_EQ(tally.total(), (KernelTally::Entry{2, {24, 96}}));
  EXPECT_FALSE(tally.by_kernel().contains("twice"));
}

TEST_F(Watching, AKernelThatThrowsEnds) {
  Context context(1, harness::one_target());
  const KernelTally tally;
  EXPECT_THROW(run(Affine{.x = shaped({6}, DType::kI64), .y = shaped({6}, DType::kI64)}, context), Error);
  affine(context);
  harness::wait_for_device();
  EXPECT_EQ(tally.by_kernel().at("affine").calls, 2) << "the one after it is no part of it";
}

TEST_F(Watching, ThreadsAddUp) {
  if (has_device_engine()) GTEST_SKIP() << "one thread puts work on a device's queue";
  const KernelTally tally;
  const auto some = [this] {
    Context context(1, harness::one_target());
    harness::Memory<float> y(6);
    for (int i = 0; i < 100; ++i) run(Affine{.x = view(x_), .y = view(y)}, context);
  };
  std::thread other(some);
  some();
  other.join();
  EXPECT_EQ(tally.total().calls, 200);
}

}  // namespace
}  // namespace innerloop::kernels
