// A convolution and its norm as two stages of one launch (kernels/cuda/conv_stages.h) give what they give in two.
#include <algorithm>
#include <cmath>

#include "tests/executed/conv_stages_case.h"

namespace innerloop::kernels {
namespace {

using namespace moments;

/// The largest difference, of the largest value.
double error_of(const std::vector<double>& found, const std::vector<double>& expected) {
  double most = 0, scale = 0;
  for (std::size_t i = 0; i < found.size(); ++i)
    most = std::max(most, std::abs(found[i] - expected[i])), scale = std::max(scale, std::abs(expected[i]));
  return most / scale;
}

TEST(ConvStages, GiveWhatTwoLaunchesGive) {
  for (const ConvMath math : {ConvMath::kTf32x3, ConvMath::kTf32}) {
    const MathScope scope(math);
    const double most = math == ConvMath::kTf32 ? 1e-4 : 4e-6;  // a last bit may round to the other TF32
    for (const StageCase& c : staged_cases()) {
      SCOPED_TRACE(c.block.name);
      for (const bool keep : {true, false}) {
        if (math == ConvMath::kTf32 && !keep) continue;
        Passes passes(c.block, DType::kF32);
        std::vector<std::vector<double>> found[2];
        for (const bool on : {false, true}) {
          const StagesScope stages(on);
          passes.run_on(device(), keep);
          found[on] = passes.values();
        }
        for (std::size_t i = 0; i < found[0].size(); ++i) EXPECT_LE(error_of(found[1][i], found[0][i]), most) << "output " << i;
      }
    }
  }
}

/// The bits are those of a task alone.
TEST(ConvStages, HaveTheSameBitsForATaskAlone) {
  const MathScope math(ConvMath::kTf32x3);
  const StagesScope stages(true);
  for (const StageCase& c : staged_cases()) {
    SCOPED_TRACE(c.block.name);
    Passes passes(c.block, DType::kF32);
    passes.expect_same_alone(device());
  }
}

}  // namespace
}  // namespace innerloop::kernels
