#include "autograd/ops/elementwise.h"

#include <algorithm>
#include <cmath>

#include "cases/op_case.h"

namespace innerloop::test {
namespace {

using namespace autograd;

const Range kAny{-2, 2};
const Range kPositive{0.5, 2};
const Range kNoKink{-2, 2, Fill::kSpread};

OpCase unary(std::string name, Var (*op)(const Var&), double (*f)(double), Range range) {
  OpCase c;
  c.name = name;
  c.f = [op](const Vars& x) { return Vars{op(x[0])}; };
  c.oracle = [f](const Arrays& x) {
    Array y(x[0].shape);
    std::transform(x[0].v.begin(), x[0].v.end(), y.v.begin(), f);
    return Arrays{y};
  };
  c.variants = {
      {{{{}, range}}}, {{{{1}, range}}}, {{{{2, 3, 5}, range}}}, {{{{0, 3}, range}}}, {{{{3, 23011}, range}}, 1}};
  c.bad_calls = {{[op] {
                    op(Var(Tensor::zeros({2, 3}, DType::kI64)));
                  },
                  {name, "[2, 3]", "i64"}},
                 {[op] { op(Var()); }, {name, "undefined"}}};
  return c;
}

OpCase with_kink_at_zero(OpCase c) {
  // Many values need a wide range to stay apart from 0.
  c.variants.back() = {{{{3, 401}, {-20, 20, Fill::kSpread}}}, 1};
  c.margin = [](const Arrays& x) {
    double nearest = 1e300;
    for (double v : x[0].v) nearest = std::min(nearest, std::abs(v));
    return nearest;
  };
  return c;
}

/// Element `flat` of the broadcast shape `to`, read from `from`.
double broadcast_read(const Array& from, const Shape& to, std::int64_t flat) {
  std::int64_t offset = 0, stride = 1;
  for (int axis = 1; axis <= to.rank(); ++axis) {
    const std::int64_t i = flat % to[-axis];
    flat /= to[-axis];
    if (axis > from.shape.rank()) continue;
    if (from.shape[-axis] != 1) offset += i * stride;
    stride *= from.shape[-axis];
  }
  return from.v[static_cast<std::size_t>(offset)];
}

OpCase binary(std::string name, Var (*op)(const Var&, const Var&), double (*f)(double, double), Range second) {
  OpCase c;
  c.name = name;
  c.f = [op](const Vars& x) { return Vars{op(x[0], x[1])}; };
  c.oracle = [f](const Arrays& x) {
    // The broadcast shape, worked out here and not by the engine.
    const Array &a = x[0], &b = x[1];
    Shape to = a.shape.rank() > b.shape.rank() ? a.shape : b.shape;
    for (int axis = 1; axis <= to.rank(); ++axis) {
      const std::int64_t ea = axis <= a.shape.rank() ? a.shape[-axis] : 1,
                         eb = axis <= b.shape.rank() ? b.shape[-axis] : 1;
      to = to.with(-axis, ea == 1 ? eb : ea);
    }
    Array y(to);
    for (std::int64_t i = 0; i < to.numel(); ++i)
      y.v[static_cast<std::size_t>(i)] = f(broadcast_read(a, to, i), broadcast_read(b, to, i));
    return Arrays{y};
  };
  const auto variant = [&](Shape a, Shape b, int order = 3) { return Variant{{{a, kAny}, {b, second}}, order}; };
  c.variants = {variant({2, 3}, {2, 3}),
                variant({}, {}),
                variant({2, 3, 4}, {4}),
                variant({4}, {2, 3, 4}),
                variant({3, 1, 2}, {1, 4, 1}),
                variant({1}, {5}),
                variant({}, {3, 2}),
                variant({2, 1, 1, 3}, {2, 3, 2, 1}),
                variant({0, 3}, {3}),
                variant({5, 7, 129}, {7, 1}, 1),
                variant({3, 1, 1, 1, 17}, {3, 2, 5, 7, 17}, 1)};
  c.bad_calls = {{[op] {
                    op(Var(Tensor::zeros({2, 3}, DType::kF32)), Var(Tensor::zeros({4}, DType::kF32)));
                  },
                  {name, "[2, 3]", "[4]"}},
                 {[op] {
                    op(Var(Tensor::zeros({2, 3}, DType::kF32)), Var(Tensor::zeros({3}, DType::kF64)));
                  },
                  {name, "[2, 3]", "[3]", "f32", "f64"}},
                 {[op] {
                    op(Var(Tensor::zeros({2, 3}, DType::kF32)), Var());
                  },
                  {name, "undefined"}}};
  return c;
}

}  // namespace

std::vector<OpCase> elementwise_cases() {
  std::vector<OpCase> cases{
      binary(
          "add", add, [](double a, double b) { return a + b; }, kAny),
      binary(
          "subtract", subtract, [](double a, double b) { return a - b; }, kAny),
      binary(
          "multiply", multiply, [](double a, double b) { return a * b; }, kAny),
      binary(
          "divide", divide, [](double a, double b) { return a / b; }, kPositive),
      unary(
          "negate", negate, [](double x) { return -x; }, kAny),
      unary(
          "exp", autograd::exp, [](double x) { return std::exp(x); }, kAny),
      unary(
          "log", autograd::log, [](double x) { return std::log(x); }, kPositive),
      unary(
          "sqrt", autograd::sqrt, [](double x) { return std::sqrt(x); }, kPositive),
      unary(
          "rsqrt", rsqrt, [](double x) { return 1 / std::sqrt(x); }, kPositive),
      unary("reciprocal", reciprocal, [](double x) { return 1 / x; }, {-2, -0.5}),
      unary(
          "square", square, [](double x) { return x * x; }, kAny),
      with_kink_at_zero(unary(
          "relu", relu, [](double x) { return x > 0 ? x : 0.0; }, kNoKink)),
      with_kink_at_zero(unary(
          "step", step, [](double x) { return x > 0 ? 1.0 : 0.0; }, kNoKink)),
      unary(
          "tanh", autograd::tanh, [](double x) { return std::tanh(x); }, kAny),
      unary(
          "sigmoid", sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }, kAny),
  };
  OpCase affine_case = unary(
      "affine", [](const Var& x) { return affine(x, -1.5, 0.25); }, [](double x) { return -1.5 * x + 0.25; }, kAny);
  cases.push_back(affine_case);
  return cases;
}

}  // namespace innerloop::test
