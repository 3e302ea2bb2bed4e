// What the norm and sampling kernels move, against what their formulas need: whole sectors, y no oftener than promised.
#include <gtest/gtest.h>

#include "kernels/cuda/host/options.h"
#include "kernels/cuda/host/traffic.h"
#include "kernels/norm.h"
#include "kernels/sample.h"
#include "tensor/context.h"
#include "tensor/tensor.h"

namespace innerloop::kernels {
namespace {

namespace traffic = host_executor::traffic;

/// Counts while it lives; tensors live on the device meanwhile.
class Counting {
 public:
  Counting() : options_(counting()), context_(1, Target::kCuda), scope_(context_) {}
  Context& context() { return context_; }
  template <class K>
  traffic::Report of(const K& kernel, const char* name) {
    context_.device()->synchronize();
    traffic::reset();
    run(kernel, context_);
    context_.device()->synchronize();
    const traffic::Report report = traffic::of(name);
    EXPECT_EQ(report.launches, 1u) << name;
    return report;
  }

 private:
  static host_executor::Options counting() {
    host_executor::Options o = host_executor::options();
    o.traffic = host_executor::TrafficCount::kOn;
    return o;
  }
  host_executor::ScopedOptions options_;
  Context context_;
  ContextScope scope_;
};

double moved(const traffic::Global& side) { return static_cast<double>(side.sectors) * traffic::kSectorBytes; }

std::uint64_t conflicts(const traffic::Report& r) { return r.shared_loads.conflicts + r.shared_stores.conflicts; }

/// Operands of a block of even extents: a y of `bytes`, a pooled grid of a quarter of it and its choices.
struct Block {
  explicit Block(const Shape& shape)
      : y(Tensor::full(shape, DType::kF32, 1)),
        p(Tensor::empty(pooled(shape), DType::kF32)),
        gp(Tensor::full(pooled(shape), DType::kF32, 1)),
        choice(Tensor::empty(pooled(shape), DType::kU8)),
        beta(Tensor::full({1, shape[4]}, DType::kF32, 1)),
        bytes(static_cast<double>(y.bytes())) {
    for (Tensor* t : {&mean, &rstd, &ggamma, &gbeta, &tggamma, &tgbeta})
      *t = Tensor::full({shape[0], shape[4]}, DType::kF32, 1);
    gy = Tensor::empty(shape, DType::kF32), tgy = Tensor::empty(shape, DType::kF32);
  }
  static Shape pooled(const Shape& s) { return {s[0], s[1], s[2] / 2, s[3] / 2, s[4]}; }
  NormReluPoolForward forward() {
    NormReluPoolForward k;
    k.y = y.view(), k.beta = beta.view(), k.mean = mean.mutable_view(), k.rstd = rstd.mutable_view();
    k.p = p.mutable_view(), k.choice = choice.mutable_view();
    return k;
  }
  NormReluPoolGrad grad() {
    NormReluPoolGrad k;
    k.y = y.view(), k.mean = mean.view(), k.rstd = rstd.view(), k.choice = choice.view(), k.gp = gp.view();
    k.gy = gy.mutable_view(), k.ggamma = ggamma.mutable_view(), k.gbeta = gbeta.mutable_view();
    return k;
  }
  NormReluPoolGradJvp grad_jvp() {
    NormReluPoolGradJvp k;
    k.y = y.view(), k.mean = mean.view(), k.rstd = rstd.view(), k.choice = choice.view(), k.gp = gp.view();
    k.ggamma = ggamma.view(), k.gbeta = gbeta.view(), k.ty = y.view(), k.tgp = gp.view();
    k.gy = gy.mutable_view(), k.tgy = tgy.mutable_view();
    k.tggamma = tggamma.mutable_view(), k.tgbeta = tgbeta.mutable_view();
    return k;
  }

  Tensor y, p, gp, choice, beta, mean, rstd, ggamma, gbeta, tggamma, tgbeta, gy, tgy;
  double bytes;
};

// A pooled grid is a quarter of y, its choices are a sixteenth; 3 % are left for lines of channels.
constexpr double kSlack = 1.03;

TEST(NormTraffic, SplitForwardReadsYOnceForEachPass) {
  Counting counting;
  Block block({1, 2, 64, 64, 32});
  const auto sums = counting.of(block.forward(), "norm_partial_kernel");
  EXPECT_GE(moved(sums.loads), block.bytes);
  // The block that comes last reads once more what all blocks have written. A thread takes its four channels one by one, so
  // each of these sectors is asked for four times: they are few.
  constexpr double kChannelsOfAThread = 4;
  EXPECT_LE(moved(sums.stores), 0.01 * block.bytes);
  EXPECT_LE(moved(sums.loads), kSlack * block.bytes + kChannelsOfAThread * moved(sums.stores));
  EXPECT_EQ(conflicts(sums), 0u);
  const auto walk = counting.of(block.forward(), "norm_write_kernel");
  EXPECT_LE(moved(walk.loads), kSlack * block.bytes);
  EXPECT_LE(moved(walk.stores), kSlack * block.bytes * (0.25 + 0.0625));
}

TEST(NormTraffic, FusedForwardReadsYTwice) {
  Counting counting;
  Block block({2, 5, 28, 28, 64});
  const auto both = counting.of(block.forward(), "norm_fused_kernel");
  EXPECT_LE(moved(both.loads), kSlack * 2 * block.bytes);
  // A block's 16 choices of a pixel are half a sector; another block has the other half.
  EXPECT_LE(moved(both.stores), kSlack * block.bytes * (0.25 + 2 * 0.0625));
  EXPECT_EQ(conflicts(both), 0u);
}

TEST(NormTraffic, GradientsWriteOnce) {
  Counting counting;
  Block block({1, 2, 64, 64, 32});
  run(block.forward(), counting.context());
  const auto grad = counting.of(block.grad(), "norm_write_kernel");
  EXPECT_LE(moved(grad.loads), kSlack * block.bytes * (1 + 0.25 + 0.0625));
  EXPECT_LE(moved(grad.stores), kSlack * block.bytes);
  const auto sums = counting.of(block.grad(), "norm_partial_kernel");
  EXPECT_LE(moved(sums.loads), kSlack * block.bytes * (1 + 0.25 + 0.0625));
  const auto tangent = counting.of(block.grad_jvp(), "norm_write_kernel");
  EXPECT_LE(moved(tangent.loads), kSlack * block.bytes * (2 + 0.5 + 0.0625));
  EXPECT_LE(moved(tangent.stores), kSlack * 2 * block.bytes);
}

TEST(GatherTraffic, OneByteReadAndFourWrittenAValue) {
  Counting counting;
  const Tensor images = Tensor::full({3, 28, 28, 1}, DType::kU8, 9), index = Tensor::zeros({4, 5}, DType::kI64);
  Tensor out = Tensor::empty({4, 5, 28, 28, 1}, DType::kF32);
  const std::vector<Augmentation> augmentations = {
      {.kind = AugmentKind::kGaussian, .probability = 0, .salt = 0, .std = 0.1f, .pixels = 0}};
  GatherAugment k;
  k.images = images.view(), k.index = index.view(), k.out = out.mutable_view(), k.augmentations = augmentations;
  const auto report = counting.of(k, "gather_augment_kernel");
  const auto values = static_cast<double>(out.numel());
  EXPECT_EQ(moved(report.stores), 4 * values);
  EXPECT_LE(moved(report.loads), 1.5 * values);  // the index beside the bytes; an image ends inside a sector
}

}  // namespace
}  // namespace innerloop::kernels
