// The arithmetic peak as a kernel: what it claims to have computed was computed.
#include "kernels/roofline.h"

#include <gtest/gtest.h>

#include <cmath>

#include "targets.h"

namespace innerloop::kernels {
namespace {

template <class T>
void check(Target target) {
  Context context(2, target);
  harness::Memory<T> out(5, T{-1});
  FmaPeak kernel{.groups = 100, .out = {out.data(), DTypeOf<T>::value, {5}}};
  run(kernel, context);
  harness::wait_for_device();
  for (const T sum : out) {
    // Every chain has come to its limit, 1/2.
    const auto chains = static_cast<std::int64_t>(std::lround(2 * static_cast<double>(sum)));
    EXPECT_EQ(static_cast<double>(sum), 0.5 * static_cast<double>(chains)) << name_of(target);
    EXPECT_GT(chains, 0) << name_of(target);
    EXPECT_EQ(kFmaGroup % chains, 0) << name_of(target) << ": a group is not a whole number of rounds of " << chains;
  }
  EXPECT_EQ(cost_of(kernel).flops, 2 * 384 * 100 * 5);

  // One group is few rounds, so that the chains can still be counted: each is 1/2 + 1/2^(rounds + 1).
  kernel.groups = 1;
  run(kernel, context);
  harness::wait_for_device();
  bool found = false;
  for (std::int64_t chains = 1; chains <= kFmaGroup; ++chains) {
    const double rounds = static_cast<double>(kFmaGroup) / static_cast<double>(chains);
    const double expected = static_cast<double>(chains) * (0.5 + std::pow(0.5, rounds + 1));
    found |= kFmaGroup % chains == 0 && std::abs(static_cast<double>(out[0]) - expected) < 1e-5 * expected;
  }
  EXPECT_TRUE(found) << name_of(target) << ": " << out[0] << " is not the end of 384 multiply-adds";
}

TEST(FmaPeak, ComputesItsMultiplyAdds) {
  for (const Target target : harness::targets()) {
    check<float>(target);
    check<double>(target);
  }
}

}  // namespace
}  // namespace innerloop::kernels
