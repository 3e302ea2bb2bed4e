// Convolutions with fewer products are as exact as those of multiply-adds, serve the shapes that they claim, and give bits that do not
// depend on threads.
#include <cmath>

#include "tests/kernels/conv_harness.h"

namespace innerloop::kernels {
namespace {

struct WinogradCase {
  const char* name;
  ConvCase z;
};

void PrintTo(const WinogradCase& c, std::ostream* out) { *out << c.name; }

constexpr ConvGeometry kSame{.pad_top = 1, .pad_left = 1}, kPlain{};
constexpr ConvGeometry kHalved{.stride_h = 2, .stride_w = 2, .pad_top = 1, .pad_left = 1}, kHalvedSame{.stride_h = 2, .stride_w = 2};

// Channels are whole vectors of every instruction set; 48 in and 112 out fit no register tile; extents divide by no tile.
const WinogradCase kWinogradCases[] = {
    {"3x3", {2, 14, 14, 64, 64, 3, 3, 14, 14, kSame}},
    {"3x3, odd extents", {3, 9, 23, 48, 16, 3, 3, 9, 23, kSame}},
    {"3x3, no padding", {2, 12, 19, 16, 112, 3, 3, 10, 17, kPlain}},
    {"3x3, several blocks of an image", {2, 61, 64, 32, 32, 3, 3, 61, 64, kSame}},
    {"3x3 stride 2", {2, 31, 33, 32, 64, 3, 3, 16, 17, kHalved}},
    {"3x3 stride 2, SAME", {2, 32, 40, 64, 32, 3, 3, 16, 20, kHalvedSame}},
    {"3x3 stride 2, channels in parts", {1, 24, 24, 128, 64, 3, 3, 12, 12, kHalved}},
    {"2x2", {2, 20, 25, 32, 32, 2, 2, 19, 24, kPlain}},
};

class ConvWinograd : public ::testing::TestWithParam<WinogradCase> {
 protected:
  void SetUp() override {
    if (has_device_engine()) GTEST_SKIP() << "a CPU's kernels";
  }

  static ConvCall call(const WinogradCase& c, ConvKind kind, int pairs) {
    ConvCall made;
    made.z = c.z;
    made.kind = kind;
    made.pairs = pairs;
    return made;
  }

  /// Every target that makes these products itself, with tiles of either kind.
  template <class Body>
  static void for_each_target(const Body& body) {
    for (const Target target : harness::targets()) {
      if (target == Target::kAmx) continue;  // the instruction set's tiles come first there
      for (const Winograd tiles : {Winograd::kSmallTiles, Winograd::kOn}) {
        Context with(1, target), without(1, target);
        with.set_winograd(tiles);
        without.set_winograd(Winograd::kOff);
        SCOPED_TRACE(name_of(target));
        SCOPED_TRACE(tiles == Winograd::kOn ? "all tiles" : "small tiles");
        body(with, without);
      }
    }
  }

};

template <class Body>
void for_each_call(const Body& body) {
  for (const ConvKind kind : kConvKinds)
    for (const int pairs : {1, 2}) body(kind, pairs);
}

void make_positive(ConvOperands& operands) {
  for (auto* side : {operands.a, operands.b})
    for (int i = 0; i < 2; ++i)
      for (double& v : side[i]) v = std::abs(v);
}

/// Forward and input gradient sum over channels alone in one chain, a ninth as long: their errors are smaller in small tiles. The weight
/// gradient's chains are as long as before, and its tiles add differences. Tiles of 4x4 outputs weigh their terms by up to 3/2 cubed; a
/// typical error is below an epsilon there, too.
TEST_P(ConvWinograd, IsAboutAsExactAsMultiplyAdds) {
  for_each_call([&](ConvKind kind, int pairs) {
    const ConvCall here = call(GetParam(), kind, pairs);
    for (const bool one_sign : {false, true}) {
      ConvOperands operands(here, 5);
      if (one_sign) make_positive(operands);
      const ConvResult want = conv_oracle(here, operands.a, operands.b);
      const double in_small_tiles = kind == ConvKind::kWeightGrad ? 2 : 1.25, in_wide_tiles = kind == ConvKind::kWeightGrad ? 5 : 4;
      for_each_target([&](Context& with, Context& without) {
        const bool wide = may_have_wide_tiles(here, with);
        const double allowed = wide ? in_wide_tiles : in_small_tiles;
        const std::vector<float> fewer = run_conv<float>(here, operands, with), plain = run_conv<float>(here, operands, without);
        EXPECT_NE(fewer, plain) << "both were made in the same way: " << here.text();
        EXPECT_LE(typical_error(want, fewer), allowed * typical_error(want, plain)) << here.text() << " one sign " << one_sign;
        EXPECT_LE(typical_error(want, fewer), one_sign ? 4 : 1) << here.text() << " one sign " << one_sign;
      });
    }
  });
}

TEST_P(ConvWinograd, GivesTheSameBitsOnAnyNumberOfThreads) {
  for_each_call([&](ConvKind kind, int pairs) {
    ConvCall here = call(GetParam(), kind, pairs);
    for (std::int64_t* tasks : {here.tasks_a, here.tasks_b}) tasks[0] = tasks[1] = 3;
    for (const std::int64_t tasks_out : {3, 1}) {
      if (tasks_out == 1 && kind == ConvKind::kForward) continue;  // nobody sums outputs over tasks
      here.tasks_out = tasks_out;
      const ConvOperands operands(here, 6);
      for_each_target([&](Context& one, Context&) {
        const std::vector<float> want = run_conv<float>(here, operands, one);
        for (const int threads : {2, 5}) {
          Context several(threads, one.target());
          several.set_winograd(one.winograd());
          EXPECT_EQ(run_conv<float>(here, operands, several), want) << threads << " threads: " << here.text();
        }
      });
    }
  });
}

/// The gradients' sum over tasks, and one operand for all of them.
TEST_P(ConvWinograd, SumsOverTasks) {
  for_each_call([&](ConvKind kind, int pairs) {
    ConvCall here = call(GetParam(), kind, pairs);
    here.tasks_a[0] = here.tasks_a[1] = 2;
    here.tasks_b[1] = 2;
    if (kind == ConvKind::kForward) here.tasks_out = 2;
    const ConvOperands operands(here, 7);
    const ConvResult want = conv_oracle(here, operands.a, operands.b);
    for_each_target([&](Context& with, Context&) {
      const double bound = may_have_wide_tiles(here, with) ? kWideTileErrorBound : kConvErrorBound;
      EXPECT_LE(conv_error(want, run_conv<float>(here, operands, with)), bound) << here.text();
    });
  });
}

INSTANTIATE_TEST_SUITE_P(Shapes, ConvWinograd, ::testing::ValuesIn(kWinogradCases));

/// What is not finite stays so in every output that it reaches, and does not leave its neighbourhood.
TEST(ConvWinogradInfinity, IsNotHidden) {
  if (has_device_engine()) GTEST_SKIP() << "a CPU's kernels";
  ConvCall here;
  here.z = {1, 14, 14, 32, 32, 3, 3, 14, 14, kSame};
  ConvOperands operands(here, 8);
  operands.a[0][5] = std::numeric_limits<double>::infinity();
  for (const Target target : harness::targets()) {
    Context context(1, target);
    const std::vector<float> y = run_conv<float>(here, operands, context);
    for (std::size_t pixel : {0, 1, 14, 15})
      for (std::size_t k = 0; k < 32; ++k) EXPECT_FALSE(std::isfinite(y[pixel * 32 + k])) << pixel << ' ' << k;
    EXPECT_TRUE(std::isfinite(y[13 * 32])) << "far from it";
  }
}

}  // namespace
}  // namespace innerloop::kernels
