// MAML on quadratic tasks, whose meta-gradient has a closed form.
//
// Task t: support loss 1/2 (theta - a)^T A (theta - a), query loss 1/2 (theta - b)^T B (theta - b), inner rate r. Then
//   theta_{k+1} = theta_k - r A (theta_k - a),  d query(theta_K)/d theta_0 = (I - r A)^K B (theta_K - b)   [second
//   order]
//                                               B (theta_K - b)                                            [first
//                                               order]
#include <gtest/gtest.h>

#include <array>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"
#include "autograd/transforms.h"
#include "support/compare.h"
#include "support/random.h"
#include "support/tolerance.h"

namespace innerloop::test {
namespace {

using namespace autograd;

constexpr std::int64_t kTasks = 3, kSize = 4;
using Vector = std::array<double, kSize>;

struct Quadratics {
  Tensor curvature;  ///< [T, n, n], symmetric
  Tensor centre;     ///< [T, n, 1]
};

Quadratics quadratics(std::uint32_t seed) {
  const Array m(random_tensor({kTasks, kSize, kSize}, {}, seed, 0));
  Tensor curvature = Tensor::empty({kTasks, kSize, kSize}, DType::kF64);
  for (std::int64_t t = 0; t < kTasks; ++t)
    for (std::int64_t i = 0; i < kSize; ++i)
      for (std::int64_t j = 0; j < kSize; ++j)
        curvature.mutable_data<double>()[m.offset(t, i, j)] = 0.5 * (m(t, i, j) + m(t, j, i)) + (i == j ? 2 : 0);
  return {curvature, random_tensor({kTasks, kSize, 1}, {}, seed, 1)};
}

/// Loss [T, 1, 1] at theta [T, n, 1].
Var loss(const Quadratics& q, const Var& theta) {
  const Var d = theta - Var(q.centre);
  return scale(matmul(d, matmul(q.curvature, d), Transpose::kYes), 0.5);
}

struct Problem {
  Quadratics support = quadratics(1), query = quadratics(2);
  Tensor theta = random_tensor({1, kSize, 1}, {}, 3, 0);
  int steps = 1;
  double rate = 0.1;
};

enum class Order { kFirst, kSecond };

/// The exact gradient of the query losses' sum, in plain float64.
Vector closed_form(const Problem& p, Order order) {
  const Array A(p.support.curvature), a(p.support.centre), B(p.query.curvature), b(p.query.centre), start(p.theta);
  const auto times = [](const Array& m, std::int64_t t, const Vector& x) {
    Vector y{};
    for (std::int64_t i = 0; i < kSize; ++i)
      for (std::int64_t j = 0; j < kSize; ++j)
        y[static_cast<std::size_t>(i)] += m(t, i, j) * x[static_cast<std::size_t>(j)];
    return y;
  };
  const auto minus = [](Vector x, const Array& c, std::int64_t t) {
    for (std::int64_t i = 0; i < kSize; ++i) x[static_cast<std::size_t>(i)] -= c(t, i, 0);
    return x;
  };
  const auto step = [&](Vector& x, const Vector& g) {
    for (std::size_t i = 0; i < kSize; ++i) x[i] -= p.rate * g[i];
  };
  Vector total{};
  for (std::int64_t t = 0; t < kTasks; ++t) {
    Vector theta{};
    for (std::int64_t i = 0; i < kSize; ++i) theta[static_cast<std::size_t>(i)] = start(0, i, 0);
    for (int k = 0; k < p.steps; ++k) step(theta, times(A, t, minus(theta, a, t)));
    Vector g = times(B, t, minus(theta, b, t));
    if (order == Order::kSecond)
      for (int k = 0; k < p.steps; ++k) step(g, times(A, t, g));
    for (std::size_t i = 0; i < kSize; ++i) total[i] += g[i];
  }
  return total;
}

::testing::AssertionResult is(const Tensor& got, const Vector& expected) {
  Array e(Shape{1, kSize, 1});
  e.v.assign(expected.begin(), expected.end());
  return near(got, e, kClosedForm);
}

/// Reverse mode through the recorded inner loop.
Tensor through_the_loop(const Problem& p, Order order) {
  const Var theta0 = variable(p.theta);
  Var theta = broadcast_to(theta0, {kTasks, kSize, 1});
  for (int k = 0; k < p.steps; ++k) {
    const Var g = grad(loss(p.support, theta), {theta}, Record::kGraph)[0];
    theta = theta - scale(order == Order::kSecond ? g : detach(g), p.rate);
  }
  return grad(loss(p.query, theta), {theta0}, Record::kValues)[0].value();
}

/// lambda <- lambda - rate H(theta_k) lambda, back from the query gradient, by forward over reverse.
Tensor by_products(const Problem& p) {
  Vars path{broadcast_to(Var(p.theta), {kTasks, kSize, 1})};
  for (int k = 0; k < p.steps; ++k) {
    const Var at = variable(path.back().value());
    path.push_back(detach(at - scale(grad(loss(p.support, at), {at}, Record::kValues)[0], p.rate)));
  }
  const Var end = variable(path.back().value());
  Var lambda = grad(loss(p.query, end), {end}, Record::kValues)[0];
  const auto support = [&](const Vars& x) { return Vars{loss(p.support, x[0])}; };
  for (int k = p.steps - 1; k >= 0; --k)
    lambda = lambda - scale(hvp(support, {path[static_cast<std::size_t>(k)]}, {lambda}, Record::kValues)[0], p.rate);
  return sum_to(lambda, {1, kSize, 1}).value();
}

TEST(Maml, SecondOrderIsTheClosedForm) {
  for (int steps : {1, 3}) {
    Problem p;
    p.steps = steps;
    EXPECT_TRUE(is(through_the_loop(p, Order::kSecond), closed_form(p, Order::kSecond))) << steps << " steps";
    EXPECT_TRUE(is(by_products(p), closed_form(p, Order::kSecond))) << steps << " steps";
  }
}

TEST(Maml, FirstOrderDiffersByThePredictedAmount) {
  for (int steps : {1, 3}) {
    Problem p;
    p.steps = steps;
    const Tensor first = through_the_loop(p, Order::kFirst), second = through_the_loop(p, Order::kSecond);
    const Vector expected_first = closed_form(p, Order::kFirst), expected_second = closed_form(p, Order::kSecond);
    EXPECT_TRUE(is(first, expected_first)) << steps << " steps";
    double gap = 0;
    for (std::size_t i = 0; i < kSize; ++i) {
      const auto at = static_cast<std::int64_t>(i);
      gap = std::max(gap, std::abs(expected_second[i] - expected_first[i]));
      EXPECT_NEAR(second.item(at) - first.item(at), expected_second[i] - expected_first[i], 10 * kClosedForm);
    }
    EXPECT_GT(gap, 0.1) << "the problem must tell the orders apart";
  }
}

TEST(Maml, InnerRateZeroIsThePlainGradient) {
  Problem p;
  p.steps = 3;
  p.rate = 0;
  const Var theta = variable(p.theta);
  const Var plain = grad(loss(p.query, broadcast_to(theta, {kTasks, kSize, 1})), {theta}, Record::kValues)[0];
  EXPECT_TRUE(near(through_the_loop(p, Order::kSecond), plain.value(), kClosedForm));
  EXPECT_TRUE(near(through_the_loop(p, Order::kFirst), plain.value(), kClosedForm));
  EXPECT_TRUE(near(by_products(p), plain.value(), kClosedForm));
}

TEST(Maml, TheInnerRateHasItsOwnGradient) {
  // d query / d rate through one step = -<B (theta_1 - b), A (theta_0 - a)>, summed over tasks.
  const Problem p;
  const Var rate = variable(Tensor::full({}, DType::kF64, p.rate));
  const Var theta0 = variable(broadcast_to(Var(p.theta), {kTasks, kSize, 1}).value());
  const Var g = grad(loss(p.support, theta0), {theta0}, Record::kGraph)[0];
  const Var theta1 = theta0 - rate * g;
  const double got = grad(loss(p.query, theta1), {rate}, Record::kValues)[0].value().item();
  const Array A(p.support.curvature), a(p.support.centre), B(p.query.curvature), b(p.query.centre);
  const Array start(theta0.value()), end(theta1.value());
  double expected = 0;
  for (std::int64_t t = 0; t < kTasks; ++t)
    for (std::int64_t i = 0; i < kSize; ++i) {
      double query = 0, support = 0;
      for (std::int64_t j = 0; j < kSize; ++j) {
        query += B(t, i, j) * (end(t, j, 0) - b(t, j, 0));
        support += A(t, i, j) * (start(t, j, 0) - a(t, j, 0));
      }
      expected -= query * support;
    }
  EXPECT_NEAR(got, expected, 100 * kClosedForm);
}

}  // namespace
}  // namespace innerloop::test
