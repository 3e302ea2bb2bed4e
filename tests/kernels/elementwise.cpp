#include "kernels/elementwise.h"

#include "tensor/philox.h"
#include "tests/kernels/harness.h"

namespace innerloop::kernels {
namespace {

using namespace harness;

class Elementwise : public ::testing::TestWithParam<DType> {};
INSTANTIATE_TEST_SUITE_P(Dtypes, Elementwise, ::testing::Values(DType::kF32, DType::kF64),
                         [](const auto& instance) { return std::string(name_of(instance.param)); });

/// Index of the element of an operand of shape `x` that element `i` of the broadcast shape `y` reads.
std::size_t source(const Shape& y, const Shape& x, std::int64_t i) {
  std::int64_t at = 0, step = 1;
  for (int axis = 1; axis <= y.rank(); ++axis) {
    const std::int64_t position = i % y[-axis];
    i /= y[-axis];
    if (axis > x.rank()) continue;
    if (x[-axis] != 1) at += position * step;
    step *= x[-axis];
  }
  return static_cast<std::size_t>(at);
}

struct UnaryCase {
  UnaryFn fn;
  const char* name;
  double (*of)(double);
  bool positive;  ///< the domain
  double
      factor;  ///< allowed error, in epsilon times the magnitude of the result: 1 to round it, and what libm promises
};

const UnaryCase kUnaryCases[] = {
    {UnaryFn::kNegate, "negate", [](double x) { return -x; }, false, 0},
    {UnaryFn::kExp, "exp", [](double x) { return std::exp(x); }, false, 2},
    {UnaryFn::kLog, "log", [](double x) { return std::log(x); }, true, 2},
    {UnaryFn::kSqrt, "sqrt", [](double x) { return std::sqrt(x); }, true, 1},
    {UnaryFn::kRsqrt, "rsqrt", [](double x) { return 1 / std::sqrt(x); }, true, 2},
    {UnaryFn::kReciprocal, "reciprocal", [](double x) { return 1 / x; }, false, 1},
    {UnaryFn::kSquare, "square", [](double x) { return x * x; }, false, 1},
    {UnaryFn::kRelu, "relu", [](double x) { return x < 0 ? 0 : x; }, false, 0},
    {UnaryFn::kStep, "step", [](double x) { return x > 0 ? 1.0 : 0.0; }, false, 0},
    {UnaryFn::kTanh, "tanh", [](double x) { return std::tanh(x); }, false, 3},
    {UnaryFn::kSigmoid, "sigmoid", [](double x) { return 1 / (1 + std::exp(-x)); }, false, 3},
};

TEST_P(Elementwise, Unary) {
  for (const Shape& shape : {Shape{}, Shape{0, 3}, Shape{1}, Shape{3, 5, 7}, Shape{70001}})
    for (const UnaryCase& c : kUnaryCases) {
      SCOPED_TRACE(c.name + shape.to_string());
      std::vector<double> values = random_array(shape, DType::kF64, 1, 0, 2).values();
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (c.positive) values[i] = std::fabs(values[i]) + 1e-3;
        if (i % 11 == 3) values[i] = std::vector<double>{0.0, std::nan(""), HUGE_VAL, -HUGE_VAL, -0.0}[i / 11 % 5];
      }
      const Array x(shape, GetParam(), values);
      Array y(shape, GetParam());
      std::vector<Num> want;
      for (std::size_t i = 0; i < x.size(); ++i) want.emplace_back(c.of(x[i]));
      run_everywhere(
          {&y},
          [&](Context& context) {
            run(Unary{c.fn, x.view(), y.mutable_view()}, context);
          },
          [&] { expect_near(y, want, c.factor, c.name); });
    }
}

TEST_P(Elementwise, InPlace) {
  Array x = random_array({1003}, GetParam(), 3);
  std::vector<Num> square, affine;
  for (const double v : x.values()) square.emplace_back(v * v), affine.emplace_back(Num(-0.5) * Num(v) + Num(3));
  run_everywhere(
      {&x},
      [&](Context& c) {
        run(Unary{UnaryFn::kSquare, x.view(), x.mutable_view()}, c);
      },
      [&] { expect_near(x, square, 1, "square"); });
  run_everywhere(
      {&x},
      [&](Context& c) {
        run(Affine{-0.5, 3, x.view(), x.mutable_view()}, c);
      },
      [&] { expect_near(x, affine, 1, "affine"); });
  Array a = random_array({40, 70}, GetParam(), 4);
  const Array b = random_array({70}, GetParam(), 5);
  std::vector<Num> sum;
  for (std::size_t i = 0; i < a.size(); ++i) sum.push_back(Num(a[i]) + Num(b[i % 70]));
  run_everywhere(
      {&a},
      [&](Context& c) {
        run(Binary{BinaryFn::kAdd, a.view(), b.view(), a.mutable_view()}, c);
      },
      [&] { expect_near(a, sum, 1, "sum"); });
}

const std::vector<std::pair<Shape, Shape>> kBroadcasts = {
    {{3, 5, 17}, {3, 5, 17}},
    {{2, 3, 4, 4, 17}, {17}},
    {{2, 3, 4, 4, 17}, {1, 1, 1, 1, 17}},
    {{3, 2, 4, 5, 16}, {3, 1, 1, 1, 16}},
    {{17}, {4, 1}},
    {{5, 1, 3}, {1, 7, 1}},
    {{}, {4, 3}},
    {{4, 3}, {1, 1}},
    {{1}, {1}},
    {{2, 1, 3, 1, 2, 1}, {1, 4, 1, 5, 1, 3}},
    {{0, 3}, {1, 3}},
    {{3, 40000}, {3, 1}},
    {{9, 300, 64}, {9, 1, 64}},
    {{1, 5}, {6, 5}},
};

TEST_P(Elementwise, BinaryWithBroadcast) {
  for (const auto& [sa, sb] : kBroadcasts)
    for (const BinaryFn fn : {BinaryFn::kAdd, BinaryFn::kSubtract, BinaryFn::kMultiply, BinaryFn::kDivide})
      for (const bool swapped : {false, true}) {
        const Shape &first = swapped ? sb : sa, &second = swapped ? sa : sb, shape = broadcast(first, second, "test");
        SCOPED_TRACE(first.to_string() + " " + second.to_string() + " fn " + std::to_string(static_cast<int>(fn)));
        const Array a = random_array(first, GetParam(), 1), b = random_array(second, GetParam(), 2, 4, 0.5);
        Array y(shape, GetParam());
        std::vector<Num> want;
        for (std::int64_t i = 0; i < shape.numel(); ++i) {
          const long double u = a[source(shape, first, i)], v = b[source(shape, second, i)];
          const long double r = fn == BinaryFn::kAdd        ? u + v
                                : fn == BinaryFn::kSubtract ? u - v
                                : fn == BinaryFn::kMultiply ? u * v
                                                            : u / v;
          want.emplace_back(r, static_cast<double>(std::abs(r)));
        }
        // One rounding.
        run_everywhere(
            {&y},
            [&](Context& c) {
              run(Binary{fn, a.view(), b.view(), y.mutable_view()}, c);
            },
            [&] { expect_near(y, want, 1, "y"); });
      }
}

TEST_P(Elementwise, BroadcastTo) {
  for (const auto& [sa, sb] : kBroadcasts)
    for (const Shape& from : {sa, sb}) {
      const Shape shape = broadcast(sa, sb, "test");
      SCOPED_TRACE(from.to_string() + " to " + shape.to_string());
      const Array x = random_array(from, GetParam(), 1);
      Array y(shape, GetParam());
      const auto times = [&](double scale, double value) {
        return GetParam() == DType::kF32 ? static_cast<double>(static_cast<float>(scale) * static_cast<float>(value)) : scale * value;
      };
      for (const double scale : {1.0, 0.3})
        run_everywhere(
            {&y},
            [&](Context& c) {
              run(BroadcastTo{x.view(), y.mutable_view(), scale}, c);
            },
            [&] {
              for (std::int64_t i = 0; i < shape.numel(); ++i)
                ASSERT_EQ(y[static_cast<std::size_t>(i)], times(scale, x[source(shape, from, i)]));
            });
    }
}

TEST_P(Elementwise, DropoutMaskIsItsAddresses) {
  for (const std::int64_t n : {1, 7, 50003}) {
    Array mask({n}, GetParam());
    const DropoutMask k{0.3, 42, 5, 6, mask.mutable_view()};
    const double keep = GetParam() == DType::kF32 ? static_cast<double>(static_cast<float>(1 / 0.7)) : 1 / (1 - 0.3);
    run_everywhere(
        {&mask}, [&](Context& c) { run(k, c); },
        [&] {
          std::int64_t dropped = 0;
          for (std::int64_t i = 0; i < n; ++i) {
            const PhiloxBlock block = random_block(42, Stream::kDropout, 5, 6, static_cast<std::uint32_t>(i / 4));
            const bool drop = static_cast<double>(uniform01(block.word[i % 4])) < 0.3;
            dropped += drop ? 1 : 0;
            ASSERT_NEAR(mask[static_cast<std::size_t>(i)], drop ? 0 : keep, 1e-7) << i;
          }
          // Five deviations of a binomial: sqrt(0.3 * 0.7 / n).
          if (n > 1000) {
            EXPECT_NEAR(static_cast<double>(dropped) / static_cast<double>(n), 0.3, 5 * 0.00205);
          }
        });
  }
}

TEST(ElementwiseErrors, AnIntegerDtypeIsNamed) {
  Context context(1, harness::one_target());
  Array x({3}, DType::kI32, {1, 2, 3});
  try {
    run(Affine{1, 0, x.view(), x.mutable_view()}, context);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("affine: dtype i32"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace innerloop::kernels
