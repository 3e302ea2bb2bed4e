#include "kernels/reduce.h"

#include "tests/kernels/harness.h"

namespace innerloop::kernels {
namespace {

using namespace harness;

class Reduce : public ::testing::TestWithParam<DType> {};
INSTANTIATE_TEST_SUITE_P(Dtypes, Reduce, ::testing::Values(DType::kF32, DType::kF64),
                         [](const auto& instance) { return std::string(name_of(instance.param)); });

/// Index in `y` that element `i` of `x` is folded into.
std::size_t target_of(const Shape& x, const Shape& y, std::int64_t i) {
  std::int64_t at = 0, step = 1;
  for (int axis = 1; axis <= x.rank(); ++axis) {
    const std::int64_t position = i % x[-axis];
    i /= x[-axis];
    if (y[-axis] != 1) at += position * step;
    step *= y[-axis];
  }
  return static_cast<std::size_t>(at);
}

const std::vector<std::pair<Shape, Shape>> kReductions = {
    {{}, {}},
    {{7}, {7}},
    {{7}, {1}},
    {{2, 3, 4, 5, 17}, {2, 1, 1, 1, 17}},  // channels of each task
    {{5, 4, 4, 64}, {1, 1, 1, 64}},
    {{3, 5, 4, 4, 3}, {3, 5, 1, 1, 1}},  // pixels of each image
    {{4, 33}, {1, 1}},
    {{3, 4, 5}, {1, 4, 1}},
    {{2, 3, 2, 3, 2, 3}, {2, 1, 2, 1, 2, 1}},
    {{2, 3, 2, 3, 2, 3}, {1, 3, 1, 3, 1, 3}},
    {{1, 1, 3}, {1, 1, 1}},
    {{0, 5}, {1, 5}},
    {{0, 5}, {0, 1}},
    {{3, 50001}, {3, 1}},  // rows in pieces
    {{200, 3, 301}, {1, 3, 1}},
    {{4, 999, 64}, {4, 1, 64}},  // columns in parts
    {{3, 1, 1300}, {1, 1, 1300}},
    {{70, 8, 5}, {70, 8, 1}},      // short rows, of several outputs a warp
    {{3, 5, 1028}, {3, 5, 1}},     // a block a row
    {{2, 7, 3000, 8}, {2, 1, 3000, 1}},
    {{2, 300000}, {2, 1}},         // the longest pieces
    {{2, 70001, 3}, {2, 1, 3}},    // columns fewer than a pack
    {{300, 2, 130}, {300, 1, 130}},  // columns beyond a tile, many outputs
    {{70001, 4}, {1, 4}},
};

TEST_P(Reduce, Sum) {
  for (const auto& [from, to] : kReductions) {
    SCOPED_TRACE(from.to_string() + " to " + to.to_string());
    const Array x = random_array(from, GetParam(), 1, 0.5);
    Array y(to, GetParam());
    std::vector<Num> want(y.size());
    for (std::int64_t i = 0; i < from.numel(); ++i) want[target_of(from, to, i)] += Num(x[static_cast<std::size_t>(i)]);
    // float64 within: one rounding at the end for f32; for f64 the lanes' partial sums round too, and the scale.
    for (const double scale : {1.0, 1.0 / 7}) {
      std::vector<Num> scaled;
      for (const Num& sum : want) scaled.push_back(sum * Num(scale));
      run_everywhere(
          {&y},
          [&](Context& c) {
            run(ReduceSum{x.view(), y.mutable_view(), scale}, c);
          },
          [&] { expect_near(y, scaled, GetParam() == DType::kF32 ? 1 : 5, "sum"); });
    }
  }
}

TEST_P(Reduce, Max) {
  for (const auto& [from, to] : kReductions) {
    SCOPED_TRACE(from.to_string() + " to " + to.to_string());
    std::vector<double> values = random_array(from, GetParam(), 1, -9).values();
    if (values.size() > 20) values[13] = std::nan("");
    const Array x(from, GetParam(), values);
    Array y(to, GetParam());
    std::vector<double> want(y.size(), -HUGE_VAL);
    for (std::int64_t i = 0; i < from.numel(); ++i) {
      double& best = want[target_of(from, to, i)];
      const double v = x[static_cast<std::size_t>(i)];
      if (v > best || std::isnan(v)) best = v;
    }
    run_everywhere(
        {&y},
        [&](Context& c) {
          run(ReduceMax{x.view(), y.mutable_view()}, c);
        },
        [&] {
          for (std::size_t i = 0; i < want.size(); ++i)
            EXPECT_TRUE(y[i] == want[i] || (std::isnan(y[i]) && std::isnan(want[i])))
                << i << ": " << y[i] << " " << want[i];
        });
  }
}

TEST_P(Reduce, MeanOverTasks) {
  for (const Shape& from :
       {Shape{1, 1}, Shape{3, 5, 7}, Shape{32, 1003}, Shape{4, 0}, Shape{0, 5}, Shape{2, 8, 64, 4}}) {
    SCOPED_TRACE(from.to_string());
    const Array x = random_array(from, GetParam(), 1, 0.5);
    Array y(from.with(0, 1), GetParam());
    const std::int64_t tasks = from[0] + 1;  // a part of the tasks
    std::vector<double> sum(y.size());
    for (std::size_t i = 0; i < x.size(); ++i) sum[i % y.size()] += x[i];
    run_everywhere(
        {&y},
        [&](Context& c) {
          run(MeanOverTasks{x.view(), tasks, y.mutable_view()}, c);
        },
        [&] {
          for (std::size_t i = 0; i < y.size(); ++i) {
            const double mean = sum[i] / static_cast<double>(tasks);  // the same sums in the same order: the same bits
            ASSERT_EQ(y[i], GetParam() == DType::kF32 ? static_cast<double>(static_cast<float>(mean)) : mean) << i;
          }
        });
  }
}

TEST_P(Reduce, SumOfSquares) {
  for (const std::int64_t n : {0, 1, 31, 33, 257, 32768, 70001}) {
    SCOPED_TRACE(n);
    const Array x = random_array({n}, GetParam(), 1, 0.5);
    Array y({1}, DType::kF64);
    std::vector<Num> want(1);
    for (std::size_t i = 0; i < x.size(); ++i) want[0] += Num(x[i]) * Num(x[i]);
    run_everywhere(
        {&y},
        [&](Context& c) {
          run(SumOfSquares{x.view(), y.mutable_view()}, c);
        },
        [&] { expect_near(y, want, 4, "sum of squares"); });
  }
}

TEST_P(Reduce, SumOfSquaresShowsWhatIsNotFinite) {
  for (const std::size_t at : {0, 31, 4999, 70000})
    for (const double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
      std::vector<double> values(70001, 1.0);
      values[at] = bad;
      const Array x({70001}, GetParam(), values);
      Array y({1}, DType::kF64);
      run_everywhere(
          {&y},
          [&](Context& c) {
            run(SumOfSquares{x.view(), y.mutable_view()}, c);
          },
          [&] { EXPECT_TRUE(std::isnan(bad) ? std::isnan(y[0]) : y[0] == HUGE_VAL) << at << ": " << y[0]; });
    }
}

}  // namespace
}  // namespace innerloop::kernels
