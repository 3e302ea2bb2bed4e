// The transforms beyond single ops: nesting, places in the record, what is kept and what is freed.
#include "autograd/transforms.h"

#include <gtest/gtest.h>

#include "autograd/op.h"
#include "autograd/ops/alias.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "support/compare.h"
#include "support/tolerance.h"
#include "support/tower.h"
#include "tensor/arena_stats.h"
#include "tensor/context.h"

namespace innerloop::test {
namespace {

using namespace autograd;

Tensor scalar(double x) { return Tensor::full({}, DType::kF64, x); }
double number(const Var& v) { return v.value().item(); }

/// x^5 from ops whose rules read inputs (multiply, square) and outputs (none), to exercise both kinds of records.
Var fifth_power(const Var& x) { return square(square(x)) * x; }

TEST(Transforms, NestForwardAndReverseInAnyOrder) {
  // J(x) a = 5 x^4 a;  its vjp 20 x^3 a u;  the jvp of that 60 x^2 a u b;  once more in reverse 120 x a u b w.
  const double x = 0.7, a = 1.3, u = -0.4, b = 2.1, w = 0.9;
  const Var at = variable(scalar(x));
  const Var first = jvp({fifth_power(at)}, {at}, {Var(scalar(a))}, Record::kGraph)[0];
  const Var second = vjp({first}, {Var(scalar(u))}, {at}, Record::kGraph)[0];
  const Var third = jvp({second}, {at}, {Var(scalar(b))}, Record::kGraph)[0];
  const Var fourth = vjp({third}, {Var(scalar(w))}, {at}, Record::kValues)[0];
  EXPECT_NEAR(number(first), 5 * x * x * x * x * a, kClosedForm);
  EXPECT_NEAR(number(second), 20 * x * x * x * a * u, kClosedForm);
  EXPECT_NEAR(number(third), 60 * x * x * a * u * b, kClosedForm);
  EXPECT_NEAR(number(fourth), 120 * x * a * u * b * w, 10 * kClosedForm);
}

TEST(Transforms, DerivativesWithRespectToAnIntermediate) {
  // y = x^2, z = y^3 x: dz/dy = 3 y^2 x with x held, dz/dx = 7 x^6 through both.
  const double x0 = 1.1, y0 = x0 * x0;
  const Var x = variable(scalar(x0));
  const Var y = square(x);
  const Var z = square(y) * y * x;
  EXPECT_NEAR(number(grad(z, {y}, Record::kValues)[0]), 3 * y0 * y0 * x0, 10 * kClosedForm);
  EXPECT_NEAR(number(grad(z, {x}, Record::kValues)[0]), 7 * y0 * y0 * y0, 10 * kClosedForm);
  const Vars both = grad(z, {x, y}, Record::kValues);
  EXPECT_NEAR(number(both[0]), 7 * y0 * y0 * y0, 10 * kClosedForm);
  EXPECT_NEAR(number(both[1]), 3 * y0 * y0 * x0, 10 * kClosedForm);
}

TEST(Transforms, ForwardModeAddsWhatAnIntermediateGetsFromOtherInputs) {
  // The adjoint of the reverse walk with {x, y}: a tangent of y comes on top of what x sends there.
  const Var x = variable(scalar(1.1));
  const Var y = square(x);
  const Var z = square(y) * y * x;
  const double tx = 0.3, ty = -0.8, u = 1.7;
  const Vars cotangents = vjp({z}, {Var(scalar(u))}, {x, y}, Record::kValues);
  const Var tangent = jvp({z}, {x, y}, {Var(scalar(tx)), Var(scalar(ty))}, Record::kValues)[0];
  EXPECT_NEAR(u * number(tangent), number(cotangents[0]) * tx + number(cotangents[1]) * ty, 10 * kClosedForm);
  const Var alone = jvp({z}, {x, y}, {Var(scalar(tx)), Var()}, Record::kValues)[0];
  EXPECT_NEAR(u * number(alone), number(cotangents[0]) * tx, 10 * kClosedForm);
}

TEST(Transforms, AnInputThatIsAlsoTheOutput) {
  const Var x = variable(scalar(3));
  EXPECT_EQ(number(vjp({x}, {Var(scalar(2))}, {x}, Record::kValues)[0]), 2);
  EXPECT_EQ(number(jvp({x}, {x}, {Var(scalar(2))}, Record::kValues)[0]), 2);
  // The same output twice: cotangents add.
  EXPECT_EQ(number(vjp({x, x}, {Var(scalar(2)), Var(scalar(5))}, {x}, Record::kValues)[0]), 7);
}

TEST(Transforms, UnreachedInputsAreUndefinedAndZeroInGrad) {
  const Var x = variable(scalar(2)), other = variable(Tensor::full({2, 3}, DType::kF64, 1));
  const Var y = square(x);
  EXPECT_FALSE(vjp({y}, {Var(scalar(1))}, {other}, Record::kValues)[0].defined());
  EXPECT_FALSE(jvp({y}, {other}, {Var(Tensor::zeros({2, 3}, DType::kF64))}, Record::kValues)[0].defined());
  EXPECT_FALSE(vjp({y}, {Var()}, {x}, Record::kValues)[0].defined());
  const Vars g = grad(y, {x, other}, Record::kValues);
  EXPECT_EQ(number(g[0]), 4);
  EXPECT_TRUE(same_bits({g[1].value()}, {Tensor::zeros({2, 3}, DType::kF64)}));
  // Through a detached value nothing flows, and a linear function has no curvature.
  EXPECT_EQ(number(grad(square(detach(x)) * x, {x}, Record::kValues)[0]), 4);
  const auto linear = [](const Vars& v) { return Vars{scale(v[0], 3)}; };
  EXPECT_EQ(number(hvp(linear, {x}, {Var(scalar(1))}, Record::kValues)[0]), 0);
  EXPECT_EQ(number(hvp_reverse(linear, {x}, {Var(scalar(1))}, Record::kValues)[0]), 0);
}

TEST(Transforms, PerturbationsOfNestedDerivativesStayApart) {
  // d/dx [x * d/dy (x + y)] = 1 at y = x; confusing the two tangents gives 2.
  const Var one = Var(scalar(1));
  const Var x = variable(scalar(1.5));
  const auto inner = [&](auto combine) {
    const Var y = alias(x);
    return jvp({combine(x, y)}, {y}, {one}, Record::kGraph)[0];
  };
  const Var sum = x * inner([](const Var& a, const Var& b) { return a + b; });
  EXPECT_EQ(number(jvp({sum}, {x}, {one}, Record::kValues)[0]), 1);
  EXPECT_EQ(number(grad(sum, {x}, Record::kValues)[0]), 1);
  // d/dx [x * d/dy (x^2 y^2) at y = x] = d/dx [x * 2 x^3] = 8 x^3.
  const Var product = x * inner([](const Var& a, const Var& b) { return square(a) * square(b); });
  const double expected = 8 * 1.5 * 1.5 * 1.5;
  EXPECT_NEAR(number(jvp({product}, {x}, {one}, Record::kValues)[0]), expected, 100 * kClosedForm);
  EXPECT_NEAR(number(grad(product, {x}, Record::kValues)[0]), expected, 100 * kClosedForm);
}

TEST(Transforms, RecordSaysWhetherResultsAreTracked) {
  const Var x = variable(scalar(2));
  const Var y = fifth_power(x);
  const auto f = [](const Vars& v) { return Vars{fifth_power(v[0])}; };
  const Var one = Var(scalar(1));
  for (Record record : {Record::kValues, Record::kGraph}) {
    const bool graph = record == Record::kGraph;
    EXPECT_EQ(vjp({y}, {one}, {x}, record)[0].tracked(), graph);
    EXPECT_EQ(jvp({y}, {x}, {one}, record)[0].tracked(), graph);
    EXPECT_EQ(grad(y, {x}, record)[0].tracked(), graph);
    EXPECT_EQ(hvp(f, {x}, {one}, record)[0].tracked(), graph);
    EXPECT_EQ(hvp_reverse(f, {x}, {one}, record)[0].tracked(), graph);
  }
  // A recorded Hessian-vector product leads on to x: its derivative is the third, 60 x^2.
  for (const Var& h : {hvp(f, {x}, {one}, Record::kGraph)[0], hvp_reverse(f, {x}, {one}, Record::kGraph)[0]})
    EXPECT_NEAR(number(grad(h, {x}, Record::kValues)[0]), 60 * 4, 1000 * kClosedForm);
  RecordScope off(false);
  EXPECT_FALSE(square(x).tracked());
  EXPECT_TRUE(grad(y, {x}, Record::kGraph)[0].tracked());
  EXPECT_FALSE(recording());
}

TEST(Transforms, BadCallsAreNamed) {
  const Var x = variable(Tensor::zeros({2, 3}, DType::kF64));
  const Var y = square(x);
  EXPECT_TRUE(throws_with([&] { vjp({y}, {y}, {Var(Tensor::zeros({4}, DType::kF64))}, Record::kValues); },
                          {"constant", "[4]", "variable()"}));
  EXPECT_TRUE(throws_with([&] { vjp({y}, {Var(Tensor::zeros({3}, DType::kF64))}, {x}, Record::kValues); },
                          {"cotangent", "[3]", "[2, 3]"}));
  EXPECT_TRUE(throws_with(
      [&] {
        jvp({y}, {x}, {Var(Tensor::zeros({2, 3}, DType::kF32))}, Record::kValues);
      },
      {"tangent", "f32", "f64"}));
  EXPECT_TRUE(throws_with([&] { jvp({y}, {x}, {}, Record::kValues); }, {"jvp", "0 tangents", "1 inputs"}));
}

TEST(Transforms, FiniteCheckNamesTheOp) {
  Context context(1, Context::current().target());
  ContextScope scope(context);
  for (DType dtype : {DType::kF32, DType::kF64}) {
    const Var x = Tensor::full({2, 3}, dtype, -1), zero = Tensor::zeros({2, 3}, dtype);
    EXPECT_NO_THROW(autograd::log(x));
    context.set_finite_check(FiniteCheck::kOn);
    EXPECT_TRUE(throws_with([&] { autograd::log(x); }, {"log", "[2, 3]", "NaN"}));
    EXPECT_TRUE(throws_with([&] { x / zero; }, {"divide", "[2, 3]", "infinity"}));
    // Also where a rule makes it: the derivative of sqrt at 0.
    const Var at = variable(zero.value());
    const Var root = autograd::sqrt(at);
    EXPECT_TRUE(throws_with([&] { grad(root, {at}, Record::kValues); }, {"divide", "[2, 3]"}));
    context.set_finite_check(FiniteCheck::kOff);
  }
}

/// y = x, with a reverse rule that reads what it does not declare, and a forward rule that does not.
class Careless final : public Op {
 public:
  std::string_view name() const override { return "careless"; }
  std::vector<Tensor> forward(std::span<const Tensor> in) const override { return {in[0]}; }
  Vars vjp(const Call& call, const Vars& gy) const override { return {gy[0] * call.inputs[0]}; }
  Vars jvp(const Call&, const Vars& tx) const override { return tx; }
  Keep keep() const override { return {.inputs = 0}; }
};

TEST(Record, ADroppedValueIsAnErrorOnlyWhereARuleReadsIt) {
  const Var x = variable(Tensor::full({2, 3}, DType::kF64, 2));
  const Var y = apply_op_one(std::make_shared<Careless>(), {negate(x)});
  const Var one = Tensor::full({2, 3}, DType::kF64, 1);
  EXPECT_TRUE(same_bits({jvp({y}, {x}, {one}, Record::kValues)[0].value()}, {Tensor::full({2, 3}, DType::kF64, -1)}));
  EXPECT_TRUE(throws_with([&] { vjp({y}, {one}, {x}, Record::kValues); }, {"dropped", "[2, 3]", "negate"}));
}

TEST(Record, KeepsOnlyWhatRulesRead) {
  Context context(1, Context::current().target());
  ContextScope scope(context);
  const Shape shape{1024};
  const std::size_t bytes = 1024 * sizeof(double);
  const auto live = [&] { return context.arena().stats().current / bytes; };
  const Var x = variable(Tensor::full(shape, DType::kF64, 0.5));
  ASSERT_EQ(live(), 1u);
  Var y = x;
  for (int i = 0; i < 10; ++i) y = affine(y, 2, 1);  // rules read nothing: only the last value lives
  EXPECT_EQ(live(), 2u);
  y = x;
  for (int i = 0; i < 10; ++i) y = autograd::tanh(y);  // rules read the output, which stays
  EXPECT_EQ(live(), 11u);
  y = x;
  for (int i = 0; i < 10; ++i) y = square(y);  // rules read the input: nine squares and x, and the last value
  EXPECT_EQ(live(), 11u);
}

TEST(Record, GivesItsMemoryBackToTheByte) {
  Context context(1, Context::current().target());
  ContextScope scope(context);
  const std::size_t before = context.arena().stats().current;
  {
    const Var x = variable(Tensor::full({64}, DType::kF64, 0.3));
    const auto f = [](const Vars& v) { return Vars{sum_all(fifth_power(autograd::tanh(v[0])))}; };
    const Var v = Tensor::full({64}, DType::kF64, 1);
    const std::size_t with_inputs = context.arena().stats().current;
    { const Vars h = hvp(f, {x}, {v}, Record::kGraph), g = grad(h[0], {x}, Record::kGraph); }
    EXPECT_EQ(context.arena().stats().current, with_inputs);
    { const Vars h = hvp_reverse(f, {x}, {v}, Record::kValues); }
    EXPECT_EQ(context.arena().stats().current, with_inputs);
    { const Vars c = grad(checkpoint(f, {x})[0], {x}, Record::kGraph); }
    EXPECT_EQ(context.arena().stats().current, with_inputs);
    // An exception on the way leaves nothing behind either.
    EXPECT_THROW(grad(apply_op_one(std::make_shared<Careless>(), {negate(x)}), {x}, Record::kGraph), Error);
    EXPECT_EQ(context.arena().stats().current, with_inputs);
  }
  EXPECT_EQ(context.arena().stats().current, before);
}

TEST(Record, ALongChainIsWalkedAndFreedWithoutRecursion) {
  constexpr int kNodes = 200'000;
  Context context(1, Context::current().target());
  ContextScope scope(context);
  {
    const Var x = variable(scalar(0));
    Var y = x;
    for (int i = 0; i < kNodes; ++i) y = y + x;
    EXPECT_EQ(number(grad(y, {x}, Record::kValues)[0]), kNodes + 1);
    EXPECT_EQ(number(jvp({y}, {x}, {Var(scalar(1))}, Record::kValues)[0]), kNodes + 1);
  }
  EXPECT_EQ(context.arena().stats().current, 0u);
}

TEST(Checkpoint, LowersThePeakAndChangesNoBit) {
  Context context(1, Context::current().target());
  ContextScope scope(context);
  constexpr int kSegments = 8, kSteps = 8;
  const auto segment = [](const Vars& x) {
    Var y = x[0];
    for (int i = 0; i < kSteps; ++i) y = autograd::tanh(affine(y, 1.1, 0.1));
    return Vars{y};
  };
  const Tensor start = Tensor::full({4096}, DType::kF64, 0.2);
  const auto measure = [&](auto apply, Tensor& gradient) {
    context.arena().reset_peak();
    const std::size_t before = context.arena().stats().current;
    const Var x = variable(start);
    Var y = x;
    for (int i = 0; i < kSegments; ++i) y = apply(Vars{y})[0];
    gradient = grad(y, {x}, Record::kValues)[0].value();
    return (context.arena().stats().peak - before) / start.bytes();
  };
  Tensor plain, saved;
  const std::size_t plain_peak = measure(segment, plain);
  const std::size_t saved_peak = measure([&](const Vars& x) { return checkpoint(segment, x); }, saved);
  EXPECT_TRUE(same_bits({plain}, {saved}));
  // Plain: one value a tanh. Checkpointed: one a segment and one segment's inside, and a few in flight for either.
  EXPECT_GE(plain_peak, static_cast<std::size_t>(kSegments * kSteps));
  EXPECT_LE(saved_peak, static_cast<std::size_t>(kSegments + kSteps + 6));
}

}  // namespace
}  // namespace innerloop::test
