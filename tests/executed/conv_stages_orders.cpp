// When a convolution and its norm share a launch, by the host executor's count, and that no order of its threads and blocks shows.
#include "kernels/cuda/host/launch_counts.h"
#include "kernels/cuda/host/options.h"
#include "tests/executed/conv_stages_case.h"

namespace innerloop::kernels {
namespace {

using namespace moments;

/// Launches of kernels since the last reset.
std::uint64_t kernels_launched() {
  std::uint64_t launches = 0;
  for (const auto& [name, count] : host_executor::launch_counts()) launches += name.ends_with("_kernel") ? count : 0;
  return launches;
}

TEST(ConvStages, AreOneLaunchWithTheSameBitsInEveryOrder) {
  using host_executor::ThreadOrder;
  const MathScope math(ConvMath::kTf32x3);
  for (const StageCase& c : staged_cases()) {
    SCOPED_TRACE(c.block.name);
    Passes passes(c.block, DType::kF32);
    {
      const StagesScope apart(false);
      host_executor::reset_launch_counts();
      passes.run_on(device(), true);
      EXPECT_EQ(kernels_launched(), c.apart);
    }
    const StagesScope stages(true);
    host_executor::reset_launch_counts();
    const std::vector<Bytes> all = passes.run_on(device(), true);
    EXPECT_EQ(kernels_launched(), 4u);
    for (const ThreadOrder order : {ThreadOrder::kReverse, ThreadOrder::kRandom, ThreadOrder::kEager}) {
      host_executor::Options options = host_executor::options();
      options.order = order;
      const host_executor::ScopedOptions scope(options);
      EXPECT_EQ(passes.run_on(device(), true), all) << "order " << static_cast<int>(order);
    }
  }
}

TEST(ConvStages, AreLeftWhereTheyDoNotSuit) {
  const StagesScope stages(true);
  const auto launches_of = [](const MomentCase& c, ConvMath math, DType t) {
    const MathScope scope(math);
    Block b(c, t);
    host_executor::reset_launch_counts();
    b.run_on(device());
    return kernels_launched();
  };
  const MomentCase small{"suits", 2, 1, 8, 8, 16, 16};
  EXPECT_EQ(launches_of(small, ConvMath::kTf32x3, DType::kF32), 2u);
  EXPECT_EQ(launches_of(small, ConvMath::kFp32, DType::kF32), 4u);
  EXPECT_EQ(launches_of(small, ConvMath::kTf32x3, DType::kF64), 4u);
  EXPECT_EQ(launches_of({"odd channels", 2, 1, 8, 8, 16, 18}, ConvMath::kTf32x3, DType::kF32), 4u);
  EXPECT_EQ(launches_of({"groups", 2, 1, 8, 8, 32, 32, 3, 1, 2}, ConvMath::kTf32x3, DType::kF32), 4u);
  EXPECT_EQ(launches_of({"no pool", 2, 1, 8, 8, 16, 16, 3, 1, 1, Pool::kNone}, ConvMath::kTf32x3, DType::kF32), 4u);
  EXPECT_GE(launches_of({"many pixels", 1, 1, 68, 68, 16, 16, 3, 1, 1, Pool::kMax2x2, 0, true}, ConvMath::kTf32x3, DType::kF32), 4u);
}

}  // namespace
}  // namespace innerloop::kernels
