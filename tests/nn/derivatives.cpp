// The network's values and derivatives, for a small member of every preset's family: against a plain oracle, against
// differences, fused against reference, and a batch of tasks against the same tasks one by one.
#include <gtest/gtest.h>

#include <cmath>

#include "nn/nets.h"
#include "support/compare.h"
#include "support/random.h"
#include "support/tolerance.h"

namespace innerloop::test {
namespace {

using autograd::Record;
using nn::ConvNet;

Arrays arrays(const std::vector<Tensor>& x) { return Arrays(x.begin(), x.end()); }

std::vector<Tensor> gradient(const ConvNet& net, const Instance& i, LossKind kind, const std::vector<Tensor>& params) {
  Vars at;
  for (const Tensor& p : params) at.push_back(autograd::variable(p));
  return autograd::values(autograd::grad(loss_of(net, i, kind)(at)[0], at, Record::kValues));
}

std::vector<Tensor> product(const ConvNet& net, const Instance& i, LossKind kind, const std::vector<Tensor>& params,
                            const std::vector<Tensor>& v) {
  return autograd::values(autograd::hvp(loss_of(net, i, kind), constants(params), constants(v), Record::kValues));
}

class NetDerivatives : public ::testing::TestWithParam<Family> {
 protected:
  const Family& family() const { return GetParam(); }
  const ConvNet net{GetParam().options};
};

TEST_P(NetDerivatives, LogitsAreTheOracles) {
  for (std::int64_t param_tasks : {1, 2}) {
    const Instance i = instance(family(), param_tasks, 2, 1);
    const Array expected = net_oracle(family().options, arrays(i.params), Array(i.images)).logits;
    EXPECT_TRUE(near(net.logits(constants(i.params), i.images).value(), expected, kNetFused)) << param_tasks;
  }
}

TEST_P(NetDerivatives, FusedIsTheReference) {
  nn::ConvNetOptions plain_options = family().options;
  plain_options.form = nn::BlockForm::kReference;
  const ConvNet plain(plain_options);
  for (std::int64_t param_tasks : {1, 2}) {
    SCOPED_TRACE(param_tasks);
    const Instance i = instance(family(), param_tasks, 2, 2);
    const std::vector<Tensor> v = random_like(i.params, 9);
    EXPECT_TRUE(near(net.logits(constants(i.params), i.images).value(),
                     plain.logits(constants(i.params), i.images).value(), kNetFused));
    EXPECT_TRUE(
        near(gradient(net, i, family().loss, i.params), gradient(plain, i, family().loss, i.params), kNetFused));
    EXPECT_TRUE(
        near(product(net, i, family().loss, i.params, v), product(plain, i, family().loss, i.params, v), kNetFused));
  }
}

TEST_P(NetDerivatives, GradientAndHessianVectorProductAreThoseOfDifferences) {
  // A seed whose decisions hold along the whole difference.
  constexpr double kNetStep = kStep / 5;
  for (std::uint32_t seed = 1;; ++seed) {
    ASSERT_LE(seed, 100u) << "no seed keeps its decisions";
    const Instance i = instance(family(), 1, 2, seed);
    const std::vector<Tensor> v = random_like(i.params, seed + 1), u = random_like(i.params, seed + 2);
    const auto decisions = [&](double h) {
      return net_oracle(family().options, arrays(shifted(i.params, h, v)), Array(i.images)).decisions;
    };
    const std::vector<int> here = decisions(0);
    bool steady = true;
    for (double h : {-2 * kNetStep, -kNetStep, kNetStep, 2 * kNetStep}) steady = steady && decisions(h) == here;
    if (!steady) continue;

    const auto loss = loss_of(net, i, family().loss);
    const double slope =
        five_point([&](double h) { return loss(constants(shifted(i.params, h, v)))[0].value().item(); }, kNetStep);
    const std::vector<Tensor> g = gradient(net, i, family().loss, i.params);
    EXPECT_LE(std::abs(dot(g, v) - slope), kNetDifference * dot_magnitude(g, v)) << dot(g, v) << " against " << slope;

    const double bend = five_point(
        [&](double h) { return dot(u, gradient(net, i, family().loss, shifted(i.params, h, v))); }, kNetStep);
    const std::vector<Tensor> hv = product(net, i, family().loss, i.params, v);
    EXPECT_LE(std::abs(dot(u, hv) - bend), kNetDifference * dot_magnitude(u, hv)) << dot(u, hv) << " against " << bend;
    const std::vector<Tensor> reverse =
        autograd::values(autograd::hvp_reverse(loss, constants(i.params), constants(v), Record::kValues));
    EXPECT_TRUE(near(hv, reverse, kNetFused));
    return;
  }
}

TEST_P(NetDerivatives, ThreeTasksAtOnceAreThreeTasksToTheBit) {
  const Instance all = instance(family(), 3, 3, 6);
  const std::vector<Tensor> direction = random_like(all.params, 8);
  for (DType dtype : {DType::kF64, DType::kF32}) {
    const auto of_task = [&](const std::vector<Tensor>& x, std::int64_t t) {
      std::vector<Tensor> rows;
      for (const Tensor& p : x) rows.push_back(p.slice(t, 1));
      return rows;
    };
    const std::vector<Tensor> params = cast(all.params, dtype), v = cast(direction, dtype);
    const Tensor logits = net.logits(constants(params), all.images.to(dtype)).value();
    const std::vector<Tensor> g = gradient(net, all, family().loss, params),
                              hv = product(net, all, family().loss, params, v);
    for (std::int64_t t = 0; t < 3; ++t) {
      SCOPED_TRACE(fmt::format("task {} in {}", t, name_of(dtype)));
      const Instance one{of_task(params, t), all.images.slice(t, 1), all.labels.slice(t, 1)};
      EXPECT_TRUE(same_bits({net.logits(constants(one.params), one.images.to(dtype)).value()}, {logits.slice(t, 1)}));
      EXPECT_TRUE(same_bits(gradient(net, one, family().loss, one.params), of_task(g, t)));
      EXPECT_TRUE(same_bits(product(net, one, family().loss, one.params, of_task(v, t)), of_task(hv, t)));
    }
  }
}

TEST_P(NetDerivatives, SharedParametersGetTheSumOverTasks) {
  const Instance shared = instance(family(), 1, 3, 7);
  const std::vector<Tensor> together = gradient(net, shared, family().loss, shared.params);
  std::vector<Tensor> sum;
  for (std::int64_t t = 0; t < 3; ++t) {
    const Instance one{shared.params, shared.images.slice(t, 1), shared.labels.slice(t, 1)};
    const std::vector<Tensor> g = gradient(net, one, family().loss, shared.params);
    sum = t == 0 ? g : shifted(sum, 1, g);
  }
  EXPECT_TRUE(near(together, sum, kAdjoint));
}

/// A step and its derivatives against the gradient and the Hessian, fused and in plain ops. The tangent takes the fused rules; the
/// reverse walk over the step goes through the ops' references.
TEST_P(NetDerivatives, AStepIsDownTheGradientAndItsDerivativeTakesTheHessian) {
  constexpr double kRate = 0.3;
  const Instance i = instance(family(), 2, 2, 3);
  const std::vector<Tensor> v = random_like(i.params, 9);
  const std::vector<Tensor> moved = shifted(i.params, -kRate, gradient(net, i, family().loss, i.params));
  const std::vector<Tensor> lambda = shifted(v, -kRate, product(net, i, family().loss, i.params, v));
  const auto reduction = family().loss == LossKind::kSum ? autograd::LossReduction::kSum : autograd::LossReduction::kMean;
  for (const nn::BlockForm form : {nn::BlockForm::kFused, nn::BlockForm::kReference}) {
    SCOPED_TRACE(form == nn::BlockForm::kFused ? "fused" : "plain");
    nn::ConvNetOptions options = family().options;
    options.form = form;
    const ConvNet of_form(options);
    Vars at;
    for (const Tensor& p : i.params) at.push_back(autograd::variable(p));
    const nn::ParameterStep step = of_form.step(at, i.images, i.labels, reduction, kRate, Record::kGraph);
    EXPECT_TRUE(near(autograd::values(step.next), moved, kNetFused));
    EXPECT_TRUE(near(autograd::values(autograd::jvp(step.next, at, constants(v), Record::kValues)), lambda, kNetFused));
    EXPECT_TRUE(near(autograd::values(autograd::vjp(step.next, constants(v), at, Record::kValues)), lambda, kNetFused));
    const nn::ParameterStep alone = of_form.step(at, i.images, i.labels, reduction, kRate, Record::kValues);
    EXPECT_TRUE(same_bits(autograd::values(alone.next), autograd::values(step.next)));
    EXPECT_TRUE(same_bits({alone.loss}, {step.loss}));
    for (const Var& next : alone.next) EXPECT_FALSE(next.tracked());
  }
}

INSTANTIATE_TEST_SUITE_P(Presets, NetDerivatives, ::testing::ValuesIn(families()),
                         [](const ::testing::TestParamInfo<Family>& f) { return f.param.name; });

}  // namespace
}  // namespace innerloop::test
