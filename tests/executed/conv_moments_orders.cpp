// The sums that a convolution leaves for a norm have the same bits in every order in which the host executor runs its threads.
#include "kernels/cuda/host/options.h"
#include "tests/executed/conv_moments_case.h"

namespace innerloop::kernels {
namespace {

using namespace moments;

TEST(ConvMoments, HaveTheSameBitsInEveryOrder) {
  using host_executor::ThreadOrder;
  for (const MomentCase& c : cases()) {
    SCOPED_TRACE(c.name);
    Block b(c, DType::kF32);
    std::vector<Bytes> first;
    for (const ThreadOrder order : {ThreadOrder::kForward, ThreadOrder::kReverse, ThreadOrder::kRandom, ThreadOrder::kEager}) {
      host_executor::Options options = host_executor::options();
      options.order = order;
      const host_executor::ScopedOptions scope(options);
      b.run_on(device());
      std::size_t i = 0;
      for (const Array* a : b.outputs()) {
        if (order == ThreadOrder::kForward)
          first.push_back(a->memory());
        else
          EXPECT_EQ(first[i], a->memory()) << "output " << i << ", order " << static_cast<int>(order);
        ++i;
      }
    }
  }
}

}  // namespace
}  // namespace innerloop::kernels
