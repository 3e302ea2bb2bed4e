// Convolutions whose products are made of bfloat16 ones are as exact as those of multiply-adds, for values of any size: the same
// error at random signs, at most twice it at one sign.
#include <cmath>

#include "tensor/cpu_targets.h"
#include "tests/kernels/conv_harness.h"

namespace innerloop::kernels {
namespace {

/// How much larger an error may be that counts as the same: two orders of summation differ by as much. Where all products have one
/// sign, a sum grows all the time, and of its six additions a step each rounds: twice what a chain of multiply-adds has.
constexpr double kAsExact = 1.25, kOneSign = 2;

class ConvTiles : public ::testing::Test {
 protected:
  void SetUp() override {
    if (has_device_engine() || !cpu_has(Target::kAmx)) GTEST_SKIP() << "this CPU has no tiles";
  }

  ConvCall call(ConvKind kind, std::int64_t channels) const {
    ConvCall made;
    made.kind = kind;
    made.z = {2, 14, 14, channels, channels, 3, 3, 14, 14, {1, 1, 1, 1}};
    return made;
  }
};

TEST_F(ConvTiles, AreAsExactAsMultiplyAdds) {
  Context tiles(1, Target::kAmx), vectors(1, Target::kAvx512);
  vectors.set_winograd(Winograd::kOff);
  for (const ConvKind kind : kConvKinds) {
    for (const std::int64_t channels : {32, 64}) {
      const ConvCall here = call(kind, channels);
      const ConvOperands operands(here, 11);
      const ConvResult want = conv_oracle(here, operands.a, operands.b);
      const double of_tiles = typical_error(want, run_conv<float>(here, operands, tiles));
      EXPECT_LE(of_tiles, kAsExact * typical_error(want, run_conv<float>(here, operands, vectors))) << here.text();
      EXPECT_GT(of_tiles, 0) << here.text();
    }
  }
}

/// Wide rows of many channels are split some at a time (rows_that_stay() in kernels/cpu/amx/planes.h), here four of ten, with one
/// packing of the weights for all.
TEST_F(ConvTiles, TakeASourceThatNoCacheHoldsPieceByPiece) {
  Context tiles(1, Target::kAmx), vectors(1, Target::kAvx512);
  vectors.set_winograd(Winograd::kOff);
  for (const ConvKind kind : kConvKinds) {
    ConvCall here = call(kind, 32);
    here.z = {2, 20, 130, 128, 32, 3, 3, 10, 65, {.stride_h = 2, .stride_w = 2, .pad_top = 1, .pad_left = 1}};
    here.pairs = 2;
    const ConvOperands operands(here, 14);
    const ConvResult want = conv_oracle(here, operands.a, operands.b);
    EXPECT_LE(typical_error(want, run_conv<float>(here, operands, tiles)),
              kAsExact * typical_error(want, run_conv<float>(here, operands, vectors)))
        << here.text();
  }
}

/// Values over 30 powers of ten, all of one sign: nothing of a small one is lost, and what is left out of each product does not
/// add up.
TEST_F(ConvTiles, KeepSmallAndLargeValues) {
  Context tiles(1, Target::kAmx), vectors(1, Target::kAvx512);
  vectors.set_winograd(Winograd::kOff);
  for (const ConvKind kind : kConvKinds) {
    const ConvCall here = call(kind, 32);
    for (const double scale : {1e-15, 1.0, 1e15}) {
      ConvOperands operands(here, 12);
      for (double& v : operands.a[0]) v = static_cast<float>(std::abs(v) * scale);
      for (double& v : operands.b[0]) v = static_cast<float>(std::abs(v) * scale);
      const ConvResult want = conv_oracle(here, operands.a, operands.b);
      EXPECT_LE(typical_error(want, run_conv<float>(here, operands, tiles)),
                kOneSign * typical_error(want, run_conv<float>(here, operands, vectors)))
          << scale << ' ' << here.text();
    }
  }
}

/// What is not finite stays so, in every output that it reaches.
TEST_F(ConvTiles, DoNotHideAnInfinity) {
  Context tiles(1, Target::kAmx);
  const ConvCall here = call(ConvKind::kForward, 32);
  ConvOperands operands(here, 13);
  operands.a[0][5] = std::numeric_limits<double>::infinity();
  const std::vector<float> y = run_conv<float>(here, operands, tiles);
  for (int k = 0; k < 32; ++k) EXPECT_FALSE(std::isfinite(y[static_cast<std::size_t>(k)])) << k;
  EXPECT_TRUE(std::isfinite(y[13 * 32])) << "far from it";
}

TEST(CpuTargets, AContextOfAMissingInstructionSetIsRefused) {
  if (cpu_has(Target::kAmx)) GTEST_SKIP() << "this CPU has them all";
  EXPECT_THROW(Context(1, Target::kAmx), Error);
}

}  // namespace
}  // namespace innerloop::kernels
