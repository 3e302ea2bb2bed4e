// The norm whose sums a convolution leaves (kernels/cuda/conv_moments.h): statistics as exact as those of a norm that reads
// its input, whatever the tile, the mode, the mean and the rest of the last unit; the same bits in every order of threads,
// and for a task alone or beside others.
#include "kernels/cuda/conv_moments.h"

#include <cmath>

#include "kernels/conv_block.h"
#include "kernels/cuda/host/options.h"
#include "tests/kernels/harness.h"

namespace innerloop::kernels {
namespace {

using namespace harness;
using cuda::ConvMath;

class MathScope {
 public:
  explicit MathScope(ConvMath math) : saved_(cuda::conv_math()) { cuda::set_conv_math(math); }
  ~MathScope() { cuda::set_conv_math(saved_); }
  MathScope(const MathScope&) = delete;
  MathScope& operator=(const MathScope&) = delete;

 private:
  ConvMath saved_;
};

struct MomentCase {
  const char* name;
  std::int64_t tasks, images, height, width, channels, filters;
  std::int64_t filter = 3, stride = 1, groups = 1;
  Pool pool = Pool::kMax2x2;
  double mean = 0;  ///< of y, whose deviation is about 1; what channel 0 of the images brings
};

std::vector<MomentCase> cases() {
  const Pool none = Pool::kNone;
  return {
      {"small tiles, one pixel in the last unit", 2, 1, 13, 5, 16, 32, 3, 1, 1, none},
      {"whole units", 2, 2, 8, 8, 16, 96},
      {"large tiles, the last half empty", 67, 1, 13, 13, 32, 64, 1},
      {"large tiles, columns left over", 33, 1, 13, 10, 32, 72, 1},
      {"three channels: multiply-adds, vectors at the right", 1, 2, 12, 15, 3, 64},
      {"the same in large tiles", 67, 1, 13, 10, 3, 64},
      {"odd channels: multiply-adds one by one, more than one tile across", 3, 3, 9, 7, 5, 33},
      {"groups, strided", 2, 3, 16, 14, 32, 40, 3, 2, 2, none},
      {"a norm in several blocks a task", 1, 2, 50, 48, 16, 20},
      {"a large mean", 2, 2, 12, 12, 32, 32, 1, 1, 1, Pool::kMax2x2, 1000},
      {"a large mean, a norm in several blocks", 1, 3, 40, 40, 16, 32, 1, 1, 1, none, 1000},
      {"a large negative mean, multiply-adds", 1, 3, 10, 9, 5, 20, 1, 1, 1, Pool::kMax2x2, -1000},
  };
}

Array images_of(const MomentCase& c, DType t, const Shape& shape) {
  std::vector<double> values = random_array(shape, t, 1).values();
  if (c.mean != 0)
    for (std::size_t i = 0; i < values.size(); i += static_cast<std::size_t>(c.channels)) values[i] = 1;
  return {shape, t, values};
}

Array weights_of(const MomentCase& c, DType t, const Shape& shape) {
  const double inputs = static_cast<double>(shape.numel() / shape[0] / shape[4]);
  std::vector<double> values = random_array(shape, t, 2, 0, 1 / std::sqrt(inputs)).values();
  if (c.mean != 0) {  // filters of one pixel: the first row of a task is what channel 0 is multiplied by
    for (std::size_t i = 0; i < values.size(); ++i)
      if (static_cast<std::int64_t>(i) / c.filters % c.channels == 0) values[i] = c.mean;
  }
  return {shape, t, values};
}

/// A block's forward pass and its tangent, with y and ty stored.
struct Block {
  MomentCase c;
  ConvGeometry geometry;
  Shape sx, sw, sy, sp, line;
  Array x, w, gamma, beta, y, mean, rstd, p, choice;
  Array tx, tw, tgamma, tbeta, ty, tp, tmean, trstd;

  Block(const MomentCase& of, DType t)
      : c(of),
        geometry{.stride_h = c.stride,
                 .stride_w = c.stride,
                 .pad_top = c.filter / 2,
                 .pad_left = c.filter / 2,
                 .groups = c.groups},
        sx{c.tasks, c.images, c.height, c.width, c.channels},
        sw{c.tasks, c.filter, c.filter, c.channels / c.groups, c.filters},
        sy{c.tasks, c.images, (c.height - 1) / c.stride + 1, (c.width - 1) / c.stride + 1, c.filters},
        sp(c.pool == Pool::kNone ? sy : sy.with(2, sy[2] / 2).with(3, sy[3] / 2)),
        line{c.tasks, c.filters} {
    x = images_of(c, t, sx), w = weights_of(c, t, sw);
    gamma = random_array(line, t, 3), beta = random_array(line, t, 4);
    tx = random_array(sx, t, 6), tw = random_array(sw, t, 8, 0, 0.2);
    tgamma = random_array(line, t, 7), tbeta = random_array(line, t, 9);
    for (Array* a : {&mean, &rstd, &tmean, &trstd}) *a = Array(line, t);
    y = Array(sy, t), ty = Array(sy, t), p = Array(sp, t), tp = Array(sp, t), choice = Array(sp, DType::kU8);
  }
  ConvBlockForward forward() {
    return {geometry, c.pool, 1e-5, x.view(), w.view(), gamma.view(), beta.view(), y.mutable_view(), mean.mutable_view(),
            rstd.mutable_view(), p.mutable_view(), choice.mutable_view()};
  }
  ConvBlockJvp jvp() {
    return {geometry, c.pool, x.view(), w.view(), gamma.view(), y.view(), mean.view(), rstd.view(), choice.view(), tx.view(),
            tw.view(), tgamma.view(), tbeta.view(), tp.mutable_view(), ty.mutable_view(), tmean.mutable_view(),
            trstd.mutable_view()};
  }
  std::vector<Array*> outputs() { return {&y, &mean, &rstd, &p, &choice, &ty, &tp, &tmean, &trstd}; }
  void run_on(Context& context) {
    for (Array* a : outputs()) a->reset();
    run(forward(), context);
    run(jvp(), context);
    wait_for_device();
  }
  ConvForward convolution() { return {geometry, {x.view(), {}}, {w.view(), {}}, y.mutable_view()}; }
  std::int64_t pixels() const { return sy[1] * sy[2] * sy[3]; }
};

Context& device() {
  static Context context(1, Target::kCuda);
  return context;
}

/// f(dtype) in every mode, and in float64, which knows none. Of many tasks, which are there for their large tiles, in two.
template <class F>
void in_every_mode(const MomentCase& c, const F& f) {
  const bool many = c.tasks > 30;
  for (const ConvMath math : cuda::kConvMaths) {
    if (many && math == ConvMath::kTf32) continue;
    SCOPED_TRACE(std::string(cuda::name_of(math)));
    const MathScope scope(math);
    f(DType::kF32);
  }
  SCOPED_TRACE("float64");
  if (!many) f(DType::kF64);
}

/// What tests/kernels/norm.cpp allows a norm that reads y: epsilons times the magnitude.
constexpr double kNormFactor = 8;

/// Statistics and their tangents from the stored y and ty, in long double.
void expect_statistics(const Block& b) {
  const std::int64_t pixels = b.pixels(), filters = b.c.filters;
  const Num share(1.0L / static_cast<long double>(pixels), 1.0 / static_cast<double>(pixels));
  std::vector<Num> mean, rstd, tmean, trstd;
  for (std::int64_t t = 0; t < b.c.tasks; ++t)
    for (std::int64_t k = 0; k < filters; ++k) {
      const auto line = static_cast<std::size_t>(t * filters + k);
      const auto at = [&](std::int64_t i) { return static_cast<std::size_t>((t * pixels + i) * filters + k); };
      Num m, tm, along;
      long double squares = 0;
      for (std::int64_t i = 0; i < pixels; ++i) m += Num(b.y[at(i)]) * share;
      for (std::int64_t i = 0; i < pixels; ++i) squares += (b.y[at(i)] - m.v) * (b.y[at(i)] - m.v);
      const long double s = 1 / std::sqrt(squares / static_cast<long double>(pixels) + 1e-5L);
      const Num r(b.rstd[line]), middle(b.mean[line]);
      for (std::int64_t i = 0; i < pixels; ++i) {
        tm += Num(b.ty[at(i)]) * share;
        // y - mean loses nothing: their difference is a value of the deviation's size.
        const long double d = b.y[at(i)] - middle.v;
        along += Num(b.ty[at(i)]) * r * Num(d, static_cast<double>(std::abs(d))) * share;
      }
      mean.push_back(m), rstd.emplace_back(s, static_cast<double>(s));
      tmean.push_back(tm), trstd.push_back(Num(-1) * r * r * along);
    }
  expect_near(b.mean, mean, kNormFactor, "mean");
  expect_near(b.rstd, rstd, kNormFactor, "rstd");
  expect_near(b.tmean, tmean, kNormFactor, "tmean");
  expect_near(b.trstd, trstd, kNormFactor, "trstd");
}

/// What is not a sum has the composition's bits: y and ty, and the walk at given statistics.
void expect_the_rest_composed(Block& b) {
  const DType t = b.y.dtype();
  Array y(b.sy, t), p(b.sp, t), choice(b.sp, DType::kU8), ty(b.sy, t), tp(b.sp, t), tmean(b.line, t), trstd(b.line, t);
  ConvForward conv = b.convolution();
  conv.y = y.mutable_view();
  run(conv, device());
  run(NormReluPoolApply{b.c.pool, b.y.view(), b.mean.view(), b.rstd.view(), b.gamma.view(), b.beta.view(), p.mutable_view(),
                        choice.mutable_view()},
      device());
  ConvBlockJvp tangent = b.jvp();
  tangent.ty = ty.mutable_view(), tangent.tp = tp.mutable_view();
  tangent.tmean = tmean.mutable_view(), tangent.trstd = trstd.mutable_view();
  compose(tangent, device());
  wait_for_device();
  EXPECT_EQ(b.y.memory(), y.memory());
  EXPECT_EQ(b.p.memory(), p.memory());
  EXPECT_EQ(b.choice.memory(), choice.memory());
  EXPECT_EQ(b.ty.memory(), ty.memory());
  double largest = 0, error = 0;
  for (std::size_t i = 0; i < tp.size(); ++i) {
    largest = std::max(largest, std::abs(tp[i]));
    error = std::max(error, std::abs(tp[i] - b.tp[i]));
  }
  // Two orders of summation, whose rounding the normalised tangents carry on.
  EXPECT_LE(error, 64 * epsilon_of(t) * largest);
  EXPECT_GT(largest, 0);
}

TEST(ConvMoments, AreAsExactAsTheSumsOfANormThatReadsItsInput) {
  for (const MomentCase& c : cases()) {
    SCOPED_TRACE(c.name);
    in_every_mode(c, [&](DType t) {
      Block b(c, t);
      ASSERT_EQ(cuda::moment_units(b.convolution()), (b.pixels() + 63) / 64) << "this shape does not come by moments";
      b.run_on(device());
      expect_statistics(b);
      expect_the_rest_composed(b);
    });
    if (HasFailure()) return;
  }
}

TEST(ConvMoments, OfConstantsHaveNoDeviation) {
  MomentCase c{"", 1, 1, 9, 9, 4, 8, 1, 1, 1, Pool::kNone};
  Block b(c, DType::kF32);
  b.x = Array(b.sx, DType::kF32, std::vector<double>(b.x.size(), 1));
  b.w = Array(b.sw, DType::kF32, std::vector<double>(b.w.size(), 1000.1));
  b.run_on(device());
  for (std::size_t i = 0; i < b.mean.size(); ++i) {
    EXPECT_EQ(b.mean[i], b.y[i]);
    EXPECT_EQ(b.rstd[i], static_cast<double>(static_cast<float>(1 / std::sqrt(1e-5))));
  }
}

TEST(ConvMoments, PassOnWhatIsNoNumber) {
  MomentCase c{"", 1, 1, 12, 12, 4, 8, 1, 1, 1, Pool::kNone};
  Block b(c, DType::kF32);
  std::vector<double> x = b.x.values();
  x[4 * 70] = std::numeric_limits<double>::quiet_NaN();  // in the second unit
  b.x = Array(b.sx, DType::kF32, x);
  b.run_on(device());
  for (std::size_t i = 0; i < b.p.size(); ++i) ASSERT_TRUE(std::isnan(b.p[i])) << i;
}

TEST(ConvMoments, HaveTheSameBitsInEveryOrder) {
  using host_executor::ThreadOrder;
  for (const MomentCase& c : cases()) {
    if (c.tasks > 40) continue;  // enough blocks are executed without
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

/// Alone a task has small tiles, beside others large ones.
TEST(ConvMoments, OfATaskAreTheSameAloneAndBesideOthers) {
  for (const MomentCase& c : cases()) {
    if (c.tasks == 1) continue;
    SCOPED_TRACE(c.name);
    in_every_mode(c, [&](DType t) {
      Block all(c, t);
      all.run_on(device());
      MomentCase single = c;
      single.tasks = 1;
      Block one(single, t);
      const std::int64_t task = c.tasks - 1;
      const auto take = [&](Array& to, const Array& from) {
        const std::vector<double> values = from.values();
        const auto size = static_cast<std::ptrdiff_t>(to.size());
        to = Array(to.shape(), t, {values.begin() + task * size, values.begin() + (task + 1) * size});
      };
      take(one.x, all.x), take(one.w, all.w), take(one.gamma, all.gamma), take(one.beta, all.beta);
      take(one.tx, all.tx), take(one.tw, all.tw), take(one.tgamma, all.tgamma), take(one.tbeta, all.tbeta);
      one.run_on(device());
      const std::vector<Array*> many = all.outputs(), alone = one.outputs();
      for (std::size_t i = 0; i < alone.size(); ++i) {
        const std::vector<double> values = many[i]->values();
        EXPECT_EQ(std::vector<double>(values.end() - static_cast<std::ptrdiff_t>(alone[i]->size()), values.end()),
                  alone[i]->values())
            << "output " << i;
      }
    });
    if (HasFailure()) return;
  }
}

TEST(ConvMoments, AreNotLeftOfSumsInChunksNorOfLessThanAUnit) {
  Block chunks({"", 1, 2, 8, 8, 64, 64}, DType::kF32), little({"", 1, 1, 7, 9, 16, 16}, DType::kF32);
  EXPECT_EQ(cuda::moment_units(chunks.convolution()), 0);
  EXPECT_EQ(cuda::moment_units(little.convolution()), 0);
  for (Block* b : {&chunks, &little}) {
    b->run_on(device());
    expect_statistics(*b);
  }
}

TEST(ConvMoments, NamesWhatDoesNotFit) {
  Block b({"", 1, 2, 8, 8, 4, 8}, DType::kF32);
  Array moments({1, 3, 3, 8}, DType::kF32);
  const auto expect_error = [&](const auto& kernel, const char* text) {
    try {
      run(kernel, device());
      ADD_FAILURE() << "accepted: " << text;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find(text), std::string::npos) << e.what();
    }
  };
  expect_error(cuda::ConvForwardMoments{b.convolution(), {moments.mutable_view()}}, "which has 2 units a task");
  cuda::NormForwardMoments norm{{}, moments.view()};
  norm.norm.y = b.y.view();
  expect_error(norm, "give those of its convolution");
}

}  // namespace
}  // namespace innerloop::kernels
