// A convolution and its norm as two stages of one launch (kernels/cuda/conv_stages.h) give what they give in two.
#include "kernels/cuda/conv_stages.h"

#include "kernels/cuda/host/launch_counts.h"
#include "kernels/cuda/host/options.h"
#include "tests/executed/conv_passes.h"

namespace innerloop::kernels {
namespace {

using namespace moments;

class StagesScope {
 public:
  explicit StagesScope(bool on) : saved_(cuda::conv_stages()) { cuda::set_conv_stages(on); }
  ~StagesScope() { cuda::set_conv_stages(saved_); }
  StagesScope(const StagesScope&) = delete;
  StagesScope& operator=(const StagesScope&) = delete;

 private:
  bool saved_;
};

const Pool kPool = Pool::kMax2x2;

struct StageCase {
  MomentCase block;
  std::uint64_t launches;  ///< of the four kernels
};

/// Launches of kernels since the last reset.
std::uint64_t kernels_launched() {
  std::uint64_t launches = 0;
  for (const auto& [name, count] : host_executor::launch_counts()) launches += name.ends_with("_kernel") ? count : 0;
  return launches;
}

std::vector<StageCase> staged_cases() {
  return {
      {{"a split sum, and a norm that reads y", 3, 1, 6, 7, 32, 16}, 4},
      {{"moments, more than one small tile, windows cut off", 2, 2, 9, 7, 16, 40}, 4},
      {{"tiles of an image, 64 channels", 2, 1, 14, 14, 16, 64, 3, 1, 1, kPool, 0, true}, 6},
      {{"tiles of an image, 32 channels, cut at both edges", 2, 1, 7, 15, 16, 32, 3, 1, 1, kPool, 0, true}, 6},
      {{"one task", 1, 1, 6, 6, 16, 16}, 4},
  };
}

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
        std::uint64_t launches[2] = {};
        for (const bool on : {false, true}) {
          const StagesScope stages(on);
          host_executor::reset_launch_counts();
          passes.run_on(device(), keep);
          launches[on] = kernels_launched();
          found[on] = passes.values();
        }
        EXPECT_EQ(launches[1], c.launches);
        EXPECT_EQ(launches[0], c.launches + 4);  // a norm each
        for (std::size_t i = 0; i < found[0].size(); ++i) EXPECT_LE(error_of(found[1][i], found[0][i]), most) << "output " << i;
      }
    }
  }
}

/// The bits are those of a task alone, and of every order of threads and blocks.
TEST(ConvStages, HaveTheSameBitsInEveryOrderAndAlone) {
  using host_executor::ThreadOrder;
  const MathScope math(ConvMath::kTf32x3);
  const StagesScope stages(true);
  for (const StageCase& c : staged_cases()) {
    SCOPED_TRACE(c.block.name);
    Passes passes(c.block, DType::kF32);
    const std::vector<Bytes> all = passes.run_on(device(), true);
    for (const ThreadOrder order : {ThreadOrder::kReverse, ThreadOrder::kRandom, ThreadOrder::kEager}) {
      host_executor::Options options = host_executor::options();
      options.order = order;
      const host_executor::ScopedOptions scope(options);
      EXPECT_EQ(passes.run_on(device(), true), all) << "order " << static_cast<int>(order);
    }
    for (std::int64_t task = 0; task < c.block.tasks; ++task) {
      Passes alone = passes.of_task(task);
      alone.run_on(device(), true);
      const std::vector<Array*> together = passes.outputs();
      const std::vector<std::vector<double>> found = alone.values();
      for (std::size_t i = 0; i < found.size(); ++i)
        EXPECT_EQ(found[i], Passes::part_of(*together[i], task).values()) << "task " << task << ", output " << i;
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
  EXPECT_GE(launches_of({"many pixels", 1, 1, 68, 68, 16, 16, 3, 1, 1, kPool, 0, true}, ConvMath::kTf32x3, DType::kF32), 4u);
}

}  // namespace
}  // namespace innerloop::kernels
