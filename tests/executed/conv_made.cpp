// Gradients of a block whose gy the convolutions' loaders make (kernels/cuda/conv_made.h) against those whose gy is stored.
#include "tests/executed/conv_made_case.h"

#include <cmath>

#include "kernels/inner_step.h"
#include "kernels/tally.h"

namespace innerloop::kernels::made {
namespace {

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

TEST_F(ConvMade, GradientsAreThoseOfAStoredGradientOfTheNorm) {
  for (const MadeCase& c : cases()) {
    SCOPED_TRACE(c.name);
    for (const bool one_block : {true, false}) {
      SCOPED_TRACE(one_block ? "one block" : "apart");
      const OneBlockScope scope(one_block);
      Block b(c);
      compare(b.grad(), {&b.gx, &b.gw, &b.ggamma, &b.gbeta}, "gradient");
      Block second(c);
      compare(second.grad_jvp(), {&second.tgx, &second.tgw, &second.tggamma, &second.tgbeta}, "tangent of the gradient");
    }
    if (HasFailure()) return;
  }
}

/// The bits of the gradient and then the step: of the block's, with gy made for both.
TEST_F(ConvMade, TakesStepsWithTheGradients) {
  constexpr double kRate = 0.07;
  for (const std::size_t i : {0, 1, 4, 5}) {  // sums of a block; gradients that share none; in parts
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
}  // namespace innerloop::kernels::made
