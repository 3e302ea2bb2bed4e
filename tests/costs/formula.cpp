// The FLOPs that the engine counts are those of docs/performance.md, to the last one:
//
//   T (K S (3F - c + 6F - 4c) + Q (3F - c)) for the convolutions, with F the forward pass of one image and c the first layer's
//   share; where the records of inner steps are not kept, the gradients of all but the last are computed twice.
//
// What the counted total has beyond that is explained here too: batch norm, and the head, loss and updates. On a CPU the first layer
// takes less: its images are constants, and all but its forward pass lives on the pooled grid (kernels/patch_moments.h).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <numeric>

#include "meta/fixtures.h"
#include "meta/meta_gradient.h"
#include "kernels/tally.h"

namespace innerloop::costs {
namespace {

/// W1 of docs/performance.md on fewer tasks: 28x28x1, four blocks of 64 filters, 5-way 1-shot.
struct W1 {
  static constexpr std::int64_t kTasks = 2, kSupport = 5, kQuery = 5, kFilters = 64;
  static constexpr std::int64_t kSide[4] = {28, 14, 7, 3};

  /// Of one image: the convolution of a block, the elements of its output, and of its pooled output.
  static std::int64_t conv(int block) { return 2 * outputs(block) * 9 * (block == 0 ? 1 : kFilters); }
  static std::int64_t outputs(int block) { return kSide[block] * kSide[block] * kFilters; }
  static std::int64_t pooled(int block) { return kSide[block] / 2 * (kSide[block] / 2) * kFilters; }

  static std::int64_t sum(std::int64_t (*f)(int)) { return f(0) + f(1) + f(2) + f(3); }
  static std::int64_t gradient() { return 3 * sum(&conv) - conv(0); }
  static std::int64_t product() { return 6 * sum(&conv) - 4 * conv(0); }
  /// What of them the first layer does, in place of two convolutions of either: a product with each tap of the chosen patches, in
  /// the gradient, in the tangent and twice in the tangent of the gradient, whose sums add the map itself.
  static std::int64_t chosen() { return 2 * 9 * pooled(0); }
  static std::int64_t saved_gradient() { return conv(0) + 10 * outputs(0) + 5 * pooled(0) - (chosen() + pooled(0)); }
  static std::int64_t saved_product() { return 2 * conv(0) + 23 * outputs(0) + 22 * pooled(0) - (3 * chosen() + 2 * pooled(0)); }
  /// Of the patches' nine taps: a sum and the products of all pairs, once for the images of a set.
  static std::int64_t moments() { return kSide[0] * kSide[0] * 9 * 11; }
  /// The same for batch norm, by the costs stated in kernels/norm.h: forward 7 and gradient 6 an output, 5 a pooled one; their
  /// tangents 5 and 10, 18 and 12; and the primal gradient again, once for each block whose images have a tangent.
  static std::int64_t norm_gradient() { return 13 * sum(&outputs) + 5 * sum(&pooled); }
  static std::int64_t norm_product() { return 24 * sum(&outputs) - outputs(0) + 22 * sum(&pooled); }

  static test::RandomProblem problem() {
    nn::ConvNetOptions net;  // the defaults are W1's
    test::RandomProblem p = test::random_problem(net, kTasks, DType::kF32);
    const auto images = [&](std::int64_t count, std::uint32_t place) {
      return test::random_tensor({kTasks, count, 28, 28, 1}, {0, 1}, 7, place).to(DType::kF32);
    };
    p.tasks = {images(kSupport, 1), meta::class_major_labels(kTasks, 5, kSupport / 5), images(kQuery, 2),
               meta::class_major_labels(kTasks, 5, kQuery / 5)};
    return p;
  }
};

struct Counted {
  std::int64_t blocks = 0;  ///< convolutions and batch norm, whether as kernels of their own or as one
  std::int64_t rest = 0;
};

Counted count(int steps, meta::StepMemory memory) {
  Context context(2);
  const ContextScope scope(context);
  const test::RandomProblem p = W1::problem();
  meta::MetaOptions options;
  options.inner.steps = steps;
  options.inner.rate = 0.01;
  options.memory = memory;
  const kernels::KernelTally tally;
  meta::meta_gradient(p.net, p.params, p.tasks, options);
  Counted c;
  for (const auto& [name, entry] : tally.by_kernel())
    (name.starts_with("conv") || name.starts_with("norm") || name.starts_with("patch") ? c.blocks : c.rest) += entry.cost.flops;
  return c;
}

std::int64_t expected(std::int64_t steps, std::int64_t again, std::int64_t gradient, std::int64_t product) {
  return W1::kTasks * (W1::kSupport * (steps * (gradient + product) + again * gradient) + W1::kQuery * gradient);
}

TEST(FlopsOfW1, AreTheFormulasAndBatchNorm) {
  EXPECT_EQ(fmt::format("{:.2f} {:.2f}", static_cast<double>(W1::sum(&W1::conv)) * 1e-6, static_cast<double>(W1::conv(0)) * 1e-6),
            "19.63 0.90")
      << "F and c, as docs/performance.md has them, in MFLOP";
  for (const int steps : {1, 5}) {
    for (const meta::StepMemory memory : {meta::StepMemory::kKeep, meta::StepMemory::kRecompute}) {
      const std::int64_t again = memory == meta::StepMemory::kKeep ? 0 : steps - 1;
      const std::int64_t conv = expected(steps, again, W1::gradient(), W1::product());
      const std::int64_t norm = expected(steps, again, W1::norm_gradient(), W1::norm_product());
      const std::int64_t saved = expected(steps, again, W1::saved_gradient(), W1::saved_product()) -
                                 W1::kTasks * (W1::kSupport + W1::kQuery) * W1::moments();
      const Counted counted = count(steps, memory);
      EXPECT_EQ(counted.blocks, conv + norm - saved) << "K = " << steps << ", " << again << " gradients computed again. A way that saves "
                                             << "arithmetic changes the formula here and in docs/performance.md";
      EXPECT_LT(static_cast<double>(norm), 0.02 * static_cast<double>(conv)) << "batch norm is little arithmetic";
      EXPECT_LT(static_cast<double>(counted.rest), 0.003 * static_cast<double>(conv)) << "head, loss and updates are less";
      EXPECT_GT(counted.rest, 0);
    }
  }
}

}  // namespace
}  // namespace innerloop::costs
