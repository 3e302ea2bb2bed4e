// Both gradients in one block: that they are, by the host executor's count, and that neither the order of its threads and blocks nor other tasks
// show in the bits.
#include "kernels/cuda/host/launch_counts.h"
#include "kernels/cuda/host/options.h"
#include "tests/executed/conv_made_case.h"
#include "tests/executed/conv_passes.h"

namespace innerloop::kernels::made {
namespace {

struct Counts {
  std::uint64_t together = 0, apart = 0;
};

/// Launches of the kernels that make both gradients, and either, since the last reset.
Counts launches() {
  Counts counts;
  for (const auto& [name, count] : host_executor::launch_counts()) {
    if (name.find("conv_made_grads_kernel") != name.npos) counts.together += count;
    if (name.find("conv_spatial") != name.npos) counts.apart += count;
  }
  return counts;
}

std::vector<Bytes> bytes_of(const std::vector<Array*>& outputs) {
  std::vector<Bytes> all;
  for (const Array* a : outputs) all.push_back(a->memory());
  return all;
}

/// Both passes of the block, and what they wrote.
std::vector<Bytes> run_both(Block& b) {
  run(b.grad(), device());
  run(b.grad_jvp(), device());
  wait_for_device();
  return bytes_of({&b.gx, &b.gw, &b.ggamma, &b.gbeta, &b.tgx, &b.tgw, &b.tggamma, &b.tgbeta});
}

TEST_F(ConvMade, GradientsShareABlockOfUpTo32ChannelsInEveryOrder) {
  using host_executor::ThreadOrder;
  for (const MadeCase& c : cases()) {
    SCOPED_TRACE(c.name);
    const std::uint64_t few = c.channels <= 32 && c.filters <= 32 ? 1 : 0;
    Block b(c);
    host_executor::reset_launch_counts();
    const std::vector<Bytes> first = run_both(b);
    EXPECT_EQ(launches().together, 2 * few);
    EXPECT_EQ(launches().apart, 4 * (1 - few));
    {
      const OneBlockScope apart(false);
      host_executor::reset_launch_counts();
      run_both(b);
      EXPECT_EQ(launches().together, 0u);
      EXPECT_EQ(launches().apart, 4u);
    }
    if (few == 0) continue;
    for (const ThreadOrder order : {ThreadOrder::kReverse, ThreadOrder::kRandom, ThreadOrder::kEager}) {
      host_executor::Options options = host_executor::options();
      options.order = order;
      const host_executor::ScopedOptions scope(options);
      Block again(c);
      EXPECT_EQ(run_both(again), first) << "order " << static_cast<int>(order);
    }
  }
}

/// The parts of a sum are cut by the shape of one task.
TEST_F(ConvMade, ATaskHasTheSameBitsAloneAndBesideOthers) {
  for (const moments::MomentCase& c : {moments::MomentCase{"in parts", 2, 3, 16, 30, 12, 24}, {"32 channels", 2, 1, 8, 32, 32, 32}}) {
    SCOPED_TRACE(c.name);
    host_executor::reset_launch_counts();
    moments::Passes(c, DType::kF32).expect_same_alone(device());
    EXPECT_GT(launches().together, 0u);
  }
}

}  // namespace
}  // namespace innerloop::kernels::made
