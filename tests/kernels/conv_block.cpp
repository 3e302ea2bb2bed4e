// The fused conv block against the composition of its kernels (compose(), which tests of its own hold against oracles), at sizes
// where a CPU does fuse: the same values on every target, the same bits at any number of threads and for a task alone. The
// composition stores y; the block of constant images has the moments of their patches instead.
#include "kernels/conv_block.h"

#include <algorithm>

#include "tests/kernels/harness.h"

namespace innerloop::kernels {
namespace {

using namespace harness;

enum class Operand { kAbsent, kPresent };

struct BlockCase {
  const char* name;
  std::int64_t tasks, images, height, width, channels, filters;
  std::int64_t filter = 3, stride = 1, pad = 1;
  Pool pool = Pool::kMax2x2;
  Operand gamma = Operand::kPresent;
  Operand inner = Operand::kPresent;  ///< x has a gradient and a tangent, as in all blocks but the first
  Operand y = Operand::kPresent;      ///< y and ty are stored
  std::int64_t dilation = 1;
};

void PrintTo(const BlockCase& c, std::ostream* out) { *out << c.name; }

std::vector<BlockCase> cases() {
  const Operand no = Operand::kAbsent, yes = Operand::kPresent;
  return {
      {"first, odd sides, channels that fill no vector", 1, 5, 61, 63, 3, 20, 3, 1, 1, Pool::kMax2x2, yes, no},
      {"inner, two tasks", 2, 4, 47, 45, 20, 40},
      {"inner, strided, no pool", 1, 2, 125, 125, 5, 40, 3, 2, 1, Pool::kNone, no},
      {"first, strided, no pool", 1, 2, 125, 125, 1, 48, 3, 2, 1, Pool::kNone, yes, no},
      {"whole images a block, no pool", 1, 23, 20, 20, 16, 33, 3, 1, 1, Pool::kNone},
      {"no padding", 1, 6, 62, 62, 4, 16, 3, 1, 0},
      {"wide filter, strided", 2, 2, 190, 122, 3, 32, 5, 2, 2},
      {"filter of one pixel", 1, 6, 60, 60, 16, 16, 1, 1, 0},
      {"images, odd sides, channels that fill no vector", 1, 4, 61, 63, 1, 20, 3, 1, 1, Pool::kMax2x2, yes, no, no},
      {"images, strided, no pool", 2, 2, 125, 125, 1, 48, 3, 2, 1, Pool::kNone, yes, no, no},
      {"images, strided, pooled, two colours", 1, 3, 66, 61, 2, 33, 3, 2, 1, Pool::kMax2x2, no, no, no},
      {"images in colour", 2, 5, 29, 84, 3, 32, 3, 1, 1, Pool::kMax2x2, yes, no, no},
      {"images, small", 3, 5, 28, 28, 1, 64, 3, 1, 1, Pool::kMax2x2, yes, no, no},
      {"images, one window", 2, 1, 2, 3, 1, 5, 3, 1, 1, Pool::kMax2x2, yes, no, no},
      {"images, wide filter, no padding", 1, 3, 40, 37, 1, 7, 5, 1, 0, Pool::kMax2x2, yes, no, no},
      {"images, filter of one pixel", 1, 3, 20, 20, 3, 16, 1, 1, 0, Pool::kNone, yes, no, no},
      {"images, dilated", 1, 2, 40, 41, 1, 24, 3, 1, 2, Pool::kMax2x2, yes, no, no, 2},
      {"images, dilated and strided", 1, 2, 41, 40, 2, 8, 3, 3, 1, Pool::kMax2x2, yes, no, no, 2},
      {"images, padding wider than they are", 1, 2, 3, 2, 1, 8, 3, 1, 4, Pool::kMax2x2, yes, no, no},
      {"more rows than filters reach", 1, 2, 130, 131, 6, 40, 3, 2, 0, Pool::kNone},
  };
}

/// Everything that the four kernels of a block read and write.
struct Block {
  BlockCase c;
  ConvGeometry geometry;
  Array x, w, gamma, beta, y, mean, rstd, p, choice, moments;
  Array gp, gx, gw, ggamma, gbeta;
  Array tx, tw, tgamma, tbeta, ty, tp, tmean, trstd;
  Array tgp, tgx, tgw, tggamma, tgbeta;

  Block(const BlockCase& block_case, DType t) : c(block_case) {
    geometry.stride_h = geometry.stride_w = c.stride;
    geometry.pad_top = geometry.pad_left = c.pad;
    geometry.dilation_h = geometry.dilation_w = c.dilation;
    const auto out = [&](std::int64_t in) { return (in + 2 * c.pad - (c.filter - 1) * c.dilation - 1) / c.stride + 1; };
    const std::int64_t side = c.pool == Pool::kNone ? 1 : 2;
    const Shape sx{c.tasks, c.images, c.height, c.width, c.channels}, sw{c.tasks, c.filter, c.filter, c.channels, c.filters};
    const Shape sy{c.tasks, c.images, out(c.height), out(c.width), c.filters};
    const Shape sp = sy.with(2, sy[2] / side).with(3, sy[3] / side), line{c.tasks, c.filters};
    const bool inner = c.inner == Operand::kPresent, scaled = c.gamma == Operand::kPresent;
    x = random_array(sx, t, 1, 0.5), w = random_array(sw, t, 2, 0.1), beta = random_array(line, t, 4);
    if (scaled) gamma = random_array(line, t, 3), tgamma = random_array(line, t, 7);  // of either sign
    y = Array(sy, t), p = Array(sp, t), choice = Array(sp, DType::kU8), mean = Array(line, t), rstd = Array(line, t);
    gp = random_array(sp, t, 5), gw = Array(sw, t), ggamma = Array(line, t), gbeta = Array(line, t);
    if (inner) gx = Array(sx, t), tx = random_array(sx, t, 6), tgx = Array(sx, t);
    tw = random_array(sw, t, 8), tbeta = random_array(line, t, 9), tgp = random_array(sp, t, 10);
    ty = Array(sy, t), tp = Array(sp, t), tmean = Array(line, t), trstd = Array(line, t);
    tgw = Array(sw, t), tggamma = Array(line, t), tgbeta = Array(line, t);
    if (c.y == Operand::kAbsent) moments = Array(moments_shape(sx, sw), DType::kF64);
  }

  PatchMoments patch_moments() {
    return {.geometry = geometry, .w = w.shape(), .y = y.shape(), .x = x.view(), .moments = moments.mutable_view()};
  }
  View of_y(Array& map) {
    View view = map.mutable_view();
    if (c.y == Operand::kAbsent) view.data = nullptr;
    return view;
  }
  ConvBlockForward forward() {
    return {geometry, c.pool, 1e-5, x.view(), w.view(), gamma.view(), beta.view(), of_y(y), mean.mutable_view(),
            rstd.mutable_view(), p.mutable_view(), choice.mutable_view(), moments.view()};
  }
  ConvBlockGrad grad() {
    return {geometry, c.pool, x.view(), w.view(), gamma.view(), of_y(y), mean.view(), rstd.view(), choice.view(), gp.view(),
            gx.mutable_view(), gw.mutable_view(), ggamma.mutable_view(), gbeta.mutable_view(), moments.view()};
  }
  ConvBlockJvp jvp() {
    return {geometry, c.pool, x.view(), w.view(), gamma.view(), of_y(y), mean.view(), rstd.view(), choice.view(), tx.view(),
            tw.view(), tgamma.view(), tbeta.view(), tp.mutable_view(), of_y(ty), tmean.mutable_view(),
            trstd.mutable_view(), moments.view()};
  }
  ConvBlockGradJvp grad_jvp() {
    return {geometry, c.pool, x.view(), w.view(), gamma.view(), of_y(y), mean.view(), rstd.view(), choice.view(), gp.view(),
            ggamma.view(), gbeta.view(), tx.view(), tw.view(), tgamma.view(), of_y(ty), tmean.view(), trstd.view(),
            tgp.view(), tgx.mutable_view(), tgw.mutable_view(), tggamma.mutable_view(), tgbeta.mutable_view(), moments.view()};
  }
  std::vector<Array*> outputs_of(const ConvBlockForward&) { return with(y, {&mean, &rstd, &p, &choice}); }
  std::vector<Array*> outputs_of(const ConvBlockGrad&) { return with(gx, {&gw, &ggamma, &gbeta}); }
  std::vector<Array*> outputs_of(const ConvBlockJvp&) { return with(ty, {&tp, &tmean, &trstd}); }
  std::vector<Array*> outputs_of(const ConvBlockGradJvp&) { return with(tgx, {&tgw, &tggamma, &tgbeta}); }

 private:
  std::vector<Array*> with(Array& map, std::vector<Array*> outputs) const {
    const bool stored = c.y == Operand::kPresent || (&map != &y && &map != &ty);
    if (map && stored) outputs.push_back(&map);
    return outputs;
  }
};

void expect_near(const Array& got, const std::vector<double>& expected, const char* what) {
  double largest = 0, error = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::fabs(expected[i]));
    error = std::max(error, std::isnan(got[i]) ? std::numeric_limits<double>::infinity() : std::fabs(got[i] - expected[i]));
  }
  // Two orders of summation over tens of thousands of pixels.
  EXPECT_LE(error, 256 * epsilon_of(got.dtype()) * largest) << what;
}

/// `make` builds one of the block's kernels from it.
template <class Make>
void compare(Block& block, const Make& make, const char* what) {
  SCOPED_TRACE(what);
  const auto kernel = make(block);
  const Operand kept = block.c.y;
  block.c.y = Operand::kPresent;
  const auto stored = make(block);
  block.c.y = kept;
  const std::vector<Array*> outputs = block.outputs_of(kernel);
  run_everywhere(
      outputs, [&](Context& context) { run(kernel, context); },
      [&] {
        std::vector<std::vector<double>> got;
        for (const Array* a : outputs) got.push_back(a->values());
        for (Array* a : outputs) a->reset();
        Context context(1, one_target());
        compose(stored, context);
        wait_for_device();
        for (std::size_t i = 0; i < outputs.size(); ++i) {
          if (outputs[i]->dtype() == DType::kU8) {
            // The two compare y and z: a tie to the last bit in one may be none in the other.
            std::size_t others = 0;
            for (std::size_t j = 0; j < got[i].size(); ++j) others += got[i][j] != (*outputs[i])[j] ? 1 : 0;
            EXPECT_LE(others, got[i].size() / 100'000) << "choice";
            continue;
          }
          const std::vector<double> expected = outputs[i]->values();
          const Array fused(outputs[i]->shape(), outputs[i]->dtype(), got[i]);
          expect_near(fused, expected, ("output " + std::to_string(i)).c_str());
        }
      });
}

class ConvBlocks : public ::testing::TestWithParam<BlockCase> {};

TEST_P(ConvBlocks, FusedIsTheComposition) {
  if (has_device_engine() && GetParam().y == Operand::kPresent) GTEST_SKIP() << "sizes at which a CPU fuses";
  SCOPED_TRACE(GetParam().name);
  for (const DType dtype : {DType::kF64, DType::kF32}) {
    SCOPED_TRACE(std::string(name_of(dtype)));
    Block block(GetParam(), dtype);
    if (block.moments) {
      Context context(1, one_target());
      run(block.patch_moments(), context);
    }
    if (GetParam().y == Operand::kPresent) {
      ASSERT_GE(block.y.shape().numel() / GetParam().tasks, kJoinElements) << "compares the composition with itself";
    }
    compare(block, [](Block& b) { return b.forward(); }, "forward");
    compare(block, [](Block& b) { return b.grad(); }, "gradient");
    compare(block, [](Block& b) { return b.jvp(); }, "tangent");
    compare(block, [](Block& b) { return b.grad_jvp(); }, "tangent of the gradient");
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, ConvBlocks, ::testing::ValuesIn(cases()),
                         [](const auto& each) { return std::to_string(each.index); });

TEST(ConvBlocksOfImages, NameWhatIsMissing) {
  Block block({"", 1, 2, 8, 8, 1, 8, 3, 1, 1, Pool::kMax2x2, Operand::kPresent, Operand::kAbsent, Operand::kAbsent}, DType::kF32);
  Context context(1, one_target());
  const auto refused = [&](const auto& kernel, const char* part) {
    try {
      run(kernel, context);
      ADD_FAILURE() << "nothing said of: " << part;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  ConvBlockForward forward = block.forward();
  forward.moments = {};
  refused(forward, "patch moments are absent");
  forward = block.forward();
  forward.geometry.groups = 2;
  refused(forward, "groups");
  ConvBlockGrad grad = block.grad();
  Array gx(block.x.shape(), DType::kF32);
  grad.gx = gx.mutable_view();
  refused(grad, "a gradient of the images is wanted");
  ConvBlockJvp jvp = block.jvp();
  jvp.tx = block.x.view();
  refused(jvp, "the images have a tangent");
}

/// Task `t` of a view of many tasks.
ConstView task_of(const ConstView& v, std::int64_t t) {
  if (!v) return v;
  const std::int64_t bytes = v.shape.numel() / v.shape[0] * static_cast<std::int64_t>(size_of(v.dtype));
  return {static_cast<const char*>(v.data) + t * bytes, v.dtype, v.shape.with(0, 1)};
}

void expect_last_of(const Array& many, const Array& single, const char* what) {
  const std::vector<double> values = many.values(), half(values.begin() + static_cast<std::ptrdiff_t>(many.size() - single.size()), values.end());
  EXPECT_EQ(half, single.values()) << what;
}

TEST(ConvBlocksTasks, AreTheSameAloneOrBesideOthers) {
  if (has_device_engine()) GTEST_SKIP() << "sizes at which a CPU fuses";
  Block all({"", 2, 4, 47, 45, 20, 40}, DType::kF32), one({"", 1, 4, 47, 45, 20, 40}, DType::kF32);
  for (const Target target : targets()) {
    Context context(2, target);
    const auto forward = all.forward();
    run(forward, context);
    const auto grad = all.grad();
    run(grad, context);
    auto alone = one.forward();
    alone.x = task_of(forward.x, 1), alone.w = task_of(forward.w, 1);
    alone.gamma = task_of(forward.gamma, 1), alone.beta = task_of(forward.beta, 1);
    run(alone, context);
    auto alone_grad = one.grad();
    alone_grad.x = alone.x, alone_grad.w = alone.w, alone_grad.gamma = alone.gamma, alone_grad.gp = task_of(grad.gp, 1);
    run(alone_grad, context);
    wait_for_device();
    expect_last_of(all.y, one.y, "y");
    expect_last_of(all.p, one.p, "p");
    expect_last_of(all.gx, one.gx, "gx");
    expect_last_of(all.gw, one.gw, "gw");
    expect_last_of(all.ggamma, one.ggamma, "ggamma");
  }
}

TEST(ConvBlocksOfImages, AreTheSameAloneOrBesideOthers) {
  constexpr Operand no = Operand::kAbsent, yes = Operand::kPresent;
  BlockCase c{"", 3, 4, 47, 45, 3, 40, 3, 1, 1, Pool::kMax2x2, yes, no, no};
  Block all(c, DType::kF32);
  c.tasks = 1;
  Block one(c, DType::kF32);
  for (const Target target : targets()) {
    Context context(2, target);
    for (const bool alone : {false, true}) {
      Block& block = alone ? one : all;
      PatchMoments moments = block.patch_moments();
      ConvBlockForward forward = block.forward();
      ConvBlockJvp tangent = block.jvp();
      ConvBlockGradJvp second = block.grad_jvp();
      ConvBlockGrad grad = block.grad();
      if (alone) {
        const ConstView x = task_of(all.x.view(), 2), w = task_of(all.w.view(), 2), tw = task_of(all.tw.view(), 2),
                        gamma = task_of(all.gamma.view(), 2), tgamma = task_of(all.tgamma.view(), 2),
                        gp = task_of(all.gp.view(), 2), tgp = task_of(all.tgp.view(), 2);
        moments.x = forward.x = grad.x = tangent.x = second.x = x;
        forward.w = grad.w = tangent.w = second.w = w, tangent.tw = second.tw = tw;
        forward.gamma = grad.gamma = tangent.gamma = second.gamma = gamma, tangent.tgamma = second.tgamma = tgamma;
        forward.beta = task_of(all.beta.view(), 2), tangent.tbeta = task_of(all.tbeta.view(), 2);
        grad.gp = second.gp = gp, second.tgp = tgp;
      }
      run(moments, context);
      run(forward, context);
      run(grad, context);
      run(tangent, context);
      run(second, context);
    }
    wait_for_device();
    expect_last_of(all.moments, one.moments, "moments");
    expect_last_of(all.p, one.p, "p");
    expect_last_of(all.rstd, one.rstd, "rstd");
    expect_last_of(all.gw, one.gw, "gw");
    expect_last_of(all.ggamma, one.ggamma, "ggamma");
    expect_last_of(all.tp, one.tp, "tp");
    expect_last_of(all.tgw, one.tgw, "tgw");
    expect_last_of(all.tggamma, one.tggamma, "tggamma");
  }
}

/// Weights that all tasks share, and one gradient for all of them.
TEST(ConvBlocksOfImages, OfSharedWeightsAddUpTheTasksGradients) {
  constexpr Operand no = Operand::kAbsent, yes = Operand::kPresent;
  Block block({"", 3, 2, 21, 20, 1, 12, 3, 1, 1, Pool::kMax2x2, yes, no, no}, DType::kF64);
  const std::vector<double> weights = block.w.values();
  const Array shared(block.w.shape().with(0, 1), DType::kF64, {weights.begin(), weights.begin() + 9 * 12});
  Array sum(shared.shape(), DType::kF64), tangent_sum(shared.shape(), DType::kF64);
  for (const Target target : targets()) {
    Context context(2, target);
    ConvBlockForward forward = block.forward();
    ConvBlockJvp tangent = block.jvp();
    ConvBlockGrad grad = block.grad();
    ConvBlockGradJvp second = block.grad_jvp();
    forward.w = grad.w = tangent.w = second.w = shared.view();
    run(block.patch_moments(), context);
    run(forward, context);
    run(tangent, context);
    run(grad, context);
    run(second, context);
    grad.gw = sum.mutable_view(), second.tgw = tangent_sum.mutable_view();
    run(grad, context);
    run(second, context);
    wait_for_device();
    for (const auto& [total, each] : {std::pair{&sum, &block.gw}, std::pair{&tangent_sum, &block.tgw}}) {
      std::vector<double> expected(total->size());
      for (std::size_t i = 0; i < each->size(); ++i) expected[i % expected.size()] += (*each)[i];
      expect_near(*total, expected, "sum over tasks");
    }
  }
}

}  // namespace
}  // namespace innerloop::kernels
