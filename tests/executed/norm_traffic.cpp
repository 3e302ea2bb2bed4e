// What the norm and sampling kernels move, against what their formulas need: whole sectors, y no oftener than promised.
#include <gtest/gtest.h>

#include "kernels/conv_block.h"
#include "kernels/cuda/host/options.h"
#include "kernels/cuda/host/traffic.h"
#include "kernels/norm.h"
#include "kernels/sample.h"
#include "tensor/context.h"
#include "tensor/tensor.h"
#include "tests/executed/math_scope.h"

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
    return last(name);
  }
  /// Another kernel of the same run.
  static traffic::Report last(const char* name) {
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

/// Operands of a block of `channels` to `block`'s, whose convolution is our own.
struct BlockOf {
  BlockOf(const Block& block, const Shape& y, std::int64_t channels)
      : x(Tensor::full(y.with(4, channels), DType::kF32, 1)), w(Tensor::full({y[0], 3, 3, channels, y[4]}, DType::kF32, 1)) {
    // y and ty are outputs here.
    out_y = Tensor::empty(block.y.shape(), DType::kF32), out_ty = Tensor::empty(block.y.shape(), DType::kF32);
  }
  ConvBlockForward forward(Block& b) {
    return {kSame, Pool::kMax2x2, 1e-5, x.view(), w.view(), {}, b.beta.view(), out_y.mutable_view(), b.mean.mutable_view(),
            b.rstd.mutable_view(), b.p.mutable_view(), b.choice.mutable_view()};
  }
  ConvBlockJvp jvp(Block& b) {
    ConvBlockJvp k;
    k.geometry = kSame, k.x = x.view(), k.w = w.view(), k.y = out_y.view(), k.mean = b.mean.view(), k.rstd = b.rstd.view();
    k.choice = b.choice.view(), k.tx = x.view(), k.tw = w.view(), k.tp = b.p.mutable_view(), k.ty = out_ty.mutable_view();
    k.tmean = b.ggamma.mutable_view(), k.trstd = b.gbeta.mutable_view();
    return k;
  }
  static constexpr ConvGeometry kSame{.pad_top = 1, .pad_left = 1};
  Tensor x, w, out_y, out_ty;
};

/// A map of `channels` inputs behind the convolution that takes them, whose units of moments have room for `pixels` of an image. The norm
/// reads what the convolution has picked of y, and of a tangent with y's beside it by tiles of an image; else y and ty once.
void expect_one_reading(const Shape& shape, std::int64_t channels, const char* convolution, double pixels, bool tiles) {
  Counting counting;
  SCOPED_TRACE(shape.to_string() + ", " + convolution);
  const bool split = shape[1] * shape[2] * shape[3] > 4096;
  Block block(shape);
  BlockOf of(block, shape, channels);
  // Lines of moments in the place of 64 values; a norm's few samples, channel by channel, are asked for beside them.
  const double units = pixels / static_cast<double>(shape[2] * shape[3]) / 64, moments = 3 * units, tangent_moments = 2 * units;
  constexpr double kSamples = 0.02;
  const auto conv = counting.of(of.forward(block), convolution);
  // In y's. A walk over picks is so short that the lines which each block reads for it count.
  const double picks = 0.25, choices = 0.0625, lines = 0.04, read = picks + choices + lines;
  EXPECT_LE(moved(conv.stores), (1 + moments + picks + choices) * kSlack * block.bytes);
  EXPECT_EQ(conflicts(conv), 0u);
  if (split) {
    const auto sums = counting.last("norm_partial_kernel");
    EXPECT_LE(moved(sums.loads), (moments + kSamples) * kSlack * block.bytes);
    EXPECT_LE(moved(counting.last("norm_write_kernel").loads), read * kSlack * block.bytes);
  } else {
    const auto norm = counting.last("norm_fused_kernel");
    // A block's 16 choices of a pixel are half a sector.
    EXPECT_LE(moved(norm.loads), (read + choices + moments + kSamples) * kSlack * block.bytes);
    EXPECT_EQ(conflicts(norm), 0u);
  }
  const auto dual = counting.of(of.jvp(block), convolution);
  EXPECT_LE(moved(dual.stores), (1 + tangent_moments + (tiles ? 2 * picks : 0)) * kSlack * block.bytes);
  EXPECT_EQ(conflicts(dual), 0u);
  const double walk = (tiles ? 2 * picks + lines : 2) + choices;  // y and ty
  if (split) {
    const auto sums = counting.last("norm_partial_kernel");
    EXPECT_LE(moved(sums.loads), (tangent_moments + kSamples) * kSlack * block.bytes);
    EXPECT_LE(moved(counting.last("norm_write_kernel").loads), walk * kSlack * block.bytes);
  } else {
    EXPECT_LE(moved(counting.last("norm_fused_kernel").loads),
              (walk + choices + tangent_moments) * kSlack * block.bytes);
  }
}

TEST(NormTraffic, BehindAConvolutionReadsYOnceOrItsPicks) {
  const kernels::StagesScope apart(false);
  const Shape split{1, 2, 64, 64, 32}, fused{2, 5, 28, 28, 64};
  expect_one_reading(split, 4, "conv_forward_kernel", 64 * 64, false);
  expect_one_reading(fused, 4, "conv_forward_kernel", 28 * 28, false);
  expect_one_reading(split, 8, "conv_spatial_kernel", 64 * 64, true);
  expect_one_reading(fused, 8, "conv_spatial_kernel", 32 * 32, true);
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

/// Where the chosen pixels are kept beside y, the sums of a gradient are on the pooled grid alone.
TEST(NormTraffic, GradientsSumAQuarterOfYWhereItIsKept) {
  Counting counting;
  Block block({1, 2, 64, 64, 32});
  const Tensor chosen = Tensor::full(block.p.shape(), DType::kF32, 1);
  run(block.forward(), counting.context());
  NormReluPoolGrad grad = block.grad();
  grad.chosen = chosen.view();
  const double position = 0.0625;
  EXPECT_LE(moved(counting.of(grad, "norm_partial_kernel").loads), kSlack * block.bytes * (2 * 0.25 + position));
  NormReluPoolGradJvp jvp = block.grad_jvp();
  jvp.chosen = jvp.tchosen = chosen.view();
  EXPECT_LE(moved(counting.of(jvp, "norm_partial_kernel").loads), kSlack * block.bytes * (4 * 0.25 + position));
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
