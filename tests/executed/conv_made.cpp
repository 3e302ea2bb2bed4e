// Gradients of a block whose gy the convolutions' loaders make (kernels/cuda/conv_made.h) against those whose gy is stored.
#include "kernels/cuda/conv_made.h"

#include <cmath>

#include "kernels/inner_step.h"
#include "kernels/tally.h"
#include "tests/executed/math_scope.h"
#include "tests/kernels/harness.h"
#include "tests/kernels/sample_common.h"

namespace innerloop::kernels {
namespace {

using namespace harness;
using cuda::ConvMath;

struct MadeCase {
  const char* name;
  std::int64_t tasks, images, height, width, channels, filters;
  Pool pool = Pool::kMax2x2;
  bool scaled = true, tx = true, tw = true, ty = true, tgp = true;
};

std::vector<MadeCase> cases() {
  const Pool none = Pool::kNone;
  return {
      {"whole tiles", 2, 1, 16, 16, 16, 32},
      {"odd sides, whose last pixels are in no window", 1, 2, 15, 31, 8, 20},
      {"no pool, no scale", 2, 1, 8, 14, 24, 40, none, false},
      {"more than one stage, two tiles across the channels", 1, 1, 8, 16, 72, 40},
      {"parts of a weight gradient", 1, 10, 16, 15, 8, 8},
      {"nothing but the weights moves", 1, 1, 16, 16, 8, 12, Pool::kMax2x2, true, false, true, true, false},
      {"nothing but the cotangent moves", 1, 1, 16, 16, 8, 12, Pool::kMax2x2, true, false, false, false, true},
  };
}

struct Block {
  MadeCase c;
  ConvGeometry geometry{.pad_top = 1, .pad_left = 1};
  Array x, w, gamma, y, mean, rstd, choice, gp, gx, gw, ggamma, gbeta;
  Array tx, tw, tgamma, ty, tmean, trstd, tgp, tgx, tgw, tggamma, tgbeta;

  explicit Block(const MadeCase& of) : c(of) {
    const DType t = DType::kF32;
    const Shape sx{c.tasks, c.images, c.height, c.width, c.channels}, sw{c.tasks, 3, 3, c.channels, c.filters};
    const Shape sy = sx.with(4, c.filters), line{c.tasks, c.filters};
    const std::int64_t side = c.pool == Pool::kNone ? 1 : 2;
    const Shape sp = sy.with(2, c.height / side).with(3, c.width / side);
    x = random_array(sx, t, 1), w = random_array(sw, t, 2), gp = random_array(sp, t, 3);
    if (c.scaled) gamma = random_array(line, t, 4), tgamma = random_array(line, t, 5);
    y = random_array(sy, t, 12), mean = random_array(line, t, 13, 0, 0.1), rstd = random_array(line, t, 14, 1, 0.2);
    std::vector<double> chosen(static_cast<std::size_t>(sp.numel()));
    for (std::size_t i = 0; i < chosen.size(); ++i)
      chosen[i] = side == 1 ? (i % 3 == 0 ? kDead : 0) : static_cast<double>((i * 7 + i / 5) % 5);
    choice = Array(sp, DType::kU8, chosen);
    if (c.tx) tx = random_array(sx, t, 6);
    if (c.tw) tw = random_array(sw, t, 7);
    if (c.ty) ty = random_array(sy, t, 8), tmean = random_array(line, t, 9, 0, 0.1), trstd = random_array(line, t, 10, 0, 0.1);
    if (c.tgp) tgp = random_array(sp, t, 11);
    gx = Array(sx, t), gw = Array(sw, t), ggamma = random_array(line, t, 15), gbeta = random_array(line, t, 16);
    tgx = Array(sx, t), tgw = Array(sw, t), tggamma = Array(line, t), tgbeta = Array(line, t);
  }
  ConvBlockGrad grad() {
    return {geometry, c.pool, x.view(), w.view(), gamma.view(), y.view(), mean.view(), rstd.view(), choice.view(), gp.view(),
            gx.mutable_view(), gw.mutable_view(), ggamma.mutable_view(), gbeta.mutable_view()};
  }
  ConvBlockGradJvp grad_jvp() {
    return {geometry, c.pool, x.view(), w.view(), gamma.view(), y.view(), mean.view(), rstd.view(), choice.view(), gp.view(),
            ggamma.view(), gbeta.view(), tx.view(), tw.view(), tgamma.view(), ty.view(), tmean.view(), trstd.view(), tgp.view(),
            tgx.mutable_view(), tgw.mutable_view(), tggamma.mutable_view(), tgbeta.mutable_view()};
  }
};

/// Runs `kernel`, in which gy must be made, and compares its outputs with those of its composition.
template <class K>
void compare(const K& kernel, const std::vector<Array*>& outputs, const char* what) {
  SCOPED_TRACE(what);
  for (Array* a : outputs) a->reset();
  {
    const KernelTally tally;
    run(kernel, device());
    wait_for_device();
    EXPECT_EQ(tally.by_kernel()[std::string(cuda::ConvGradsMade::kName)].calls, 1) << "gy was stored";
  }
  std::vector<std::vector<double>> made;
  for (Array* a : outputs) made.push_back(a->values()), a->reset();
  compose(kernel, device());
  wait_for_device();
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    double largest = 0, error = 0;
    for (std::size_t j = 0; j < made[i].size(); ++j) {
      largest = std::max(largest, std::fabs((*outputs[i])[j]));
      error = std::max(error, std::isnan(made[i][j]) ? std::numeric_limits<double>::infinity() : std::fabs(made[i][j] - (*outputs[i])[j]));
    }
    EXPECT_TRUE(largest > 0 || i >= 2) << "output " << i;  // without a tgp, gbeta has no tangent
    // Sums over a task in two orders, whose last bits the constants carry on.
    EXPECT_LE(error, 16 * epsilon_of(DType::kF32) * largest) << "output " << i;
  }
}

/// gy is made for maps of any size.
class ConvMade : public ::testing::Test {
  const MathScope math_{ConvMath::kTf32x3};
  const std::int64_t saved_ = cuda::least_made_elements();

 protected:
  ConvMade() { cuda::set_least_made_elements(1); }
  ~ConvMade() override { cuda::set_least_made_elements(saved_); }
};

TEST_F(ConvMade, GradientsAreThoseOfAStoredGradientOfTheNorm) {
  for (const MadeCase& c : cases()) {
    SCOPED_TRACE(c.name);
    Block b(c);
    compare(b.grad(), {&b.gx, &b.gw, &b.ggamma, &b.gbeta}, "gradient");
    Block second(c);
    compare(second.grad_jvp(), {&second.tgx, &second.tgw, &second.tggamma, &second.tgbeta}, "tangent of the gradient");
    if (HasFailure()) return;
  }
}

/// The bits of the gradient and then the step: of the block's, with gy made for both.
TEST_F(ConvMade, TakesStepsWithTheGradients) {
  constexpr double kRate = 0.07;
  for (const std::size_t i : {std::size_t{0}, std::size_t{4}}) {  // a sum of a block, and one in parts
    Block b(cases()[i]);
    SCOPED_TRACE(b.c.name);
    const Array beta = random_array(b.gamma.shape(), DType::kF32, 17);
    Array next_gamma(beta.shape(), DType::kF32), next_beta(beta.shape(), DType::kF32);
    ConvBlockStep step{b.grad(), kRate, beta.view(), next_gamma.mutable_view(), next_beta.mutable_view()};
    ConvBlockStepJvp step_jvp{b.grad_jvp(), kRate, beta.view()};
    const auto expect_composed = [](const auto& kernel, const std::vector<Array*>& outputs) {
      for (Array* a : outputs) a->reset();
      run(kernel, device());
      wait_for_device();
      std::vector<Bytes> got;
      for (Array* a : outputs) got.push_back(a->memory()), a->reset();
      compose(kernel, device());
      wait_for_device();
      for (std::size_t j = 0; j < outputs.size(); ++j) EXPECT_EQ(got[j], outputs[j]->memory()) << "output " << j;
    };
    expect_composed(step_jvp, {&b.tgx, &b.tgw, &b.tggamma, &b.tgbeta});
    expect_composed(step, {&b.gx, &b.gw, &b.ggamma, &b.gbeta, &next_gamma, &next_beta});
  }
}

TEST_F(ConvMade, IsLeftToSmallMapsAndMultiplyAdds) {
  Block small({"", 1, 1, 7, 7, 16, 16}), fine({"", 1, 1, 16, 16, 16, 16});
  const auto suits = [](Block& b, ConvMath math) {
    return cuda::suits_made({.geometry = b.geometry, .gy = {b.c.pool, b.y.view(), b.gp.view(), b.choice.view(), {}}, .x = b.x.view(),
                             .w = b.w.view(), .tx = {}, .tw = {}, .gx = b.gx.mutable_view(), .gw = b.gw.mutable_view(), .step = {}},
                            math);
  };
  EXPECT_FALSE(suits(small, ConvMath::kTf32x3));
  EXPECT_FALSE(suits(fine, ConvMath::kFp32));
  EXPECT_TRUE(suits(fine, ConvMath::kTf32x3));
  cuda::set_least_made_elements(16 * 16 * 16 + 1);
  EXPECT_FALSE(cuda::run_made(fine.grad(), {}, {}, device()));
}

}  // namespace
}  // namespace innerloop::kernels
