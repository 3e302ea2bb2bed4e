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
};

TEST_P(Reduce, Sum) {
  for (const auto& [from, to] : kReductions) {
    SCOPED_TRACE(from.to_string() + " to " + to.to_string());
    const Array x = random_array(from, GetParam(), 1, 0.5);
    Array y(to, GetParam());
    std::vector<Num> want(y.size());
    for (std::int64_t i = 0; i < from.numel(); ++i) want[target_of(from, to, i)] += Num(x[static_cast<std::size_t>(i)]);
    // float64 within: one rounding at the end for f32; for f64 the lanes' partial sums round too.
    run_everywhere(
        {&y},
        [&](Context& c) {
          run(ReduceSum{x.view(), y.mutable_view()}, c);
        },
        [&] { expect_near(y, want, GetParam() == DType::kF32 ? 1 : 4, "sum"); });
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

}  // namespace
}  // namespace innerloop::kernels
