// The meta-gradient against closed forms, its oracle, and what must not change it.
#include "meta/meta_gradient.h"

#include <gtest/gtest.h>

#include <cmath>

#include "autograd/op.h"
#include "autograd/transforms.h"
#include "fixtures.h"
#include "support/compare.h"
#include "support/tolerance.h"
#include "tensor/arena_stats.h"

namespace innerloop::meta {
namespace {

using test::near;
using test::same_bits;

constexpr double kMixedReverse = 1e-10;  ///< the same float64 sums in another order
constexpr double kProgramCut = 1e-12;    ///< tasks batched or alone: the same sums, blocked otherwise

MetaOptions options_of(int steps, double rate = 0.1) {
  MetaOptions o;
  o.inner = {steps, rate, LossReduction::kMean};
  return o;
}

std::vector<Tensor> gradient(const test::RandomProblem& p, const MetaOptions& o) {
  return meta_gradient(p.net, p.params, p.tasks, o).gradient;
}

/// Black images: every feature is relu(shift), the same for all, so the network is softmax regression on one constant
/// vector phi. With a head of zeros and balanced support labels the inner gradient is zero, and the Hessian in the head
/// is (phi,1)(phi,1)^T x (I/n - 11^T/n^2). Hence, with f the query's label frequencies,
///   meta-gradient of the head = (phi,1) x (1/n - f) (1 - rate (|phi|^2 + 1) / n)^K,   of all else = 0.
TEST(MetaGradient, MeetsTheClosedFormOfSoftmaxRegression) {
  nn::ConvNetOptions o;
  o.filters = {3};
  o.height = o.width = 4;
  o.ways = 3;
  const nn::ConvNet net(o);
  std::vector<Tensor> params;
  for (const Tensor& p : net.init(1)) params.push_back(p.to(DType::kF64));
  const std::vector<double> shift{0.3, 0.7, -0.2};
  params[2] = Tensor::from({1, 3}, shift);
  params[3] = Tensor::zeros(params[3].shape(), DType::kF64);
  TaskBatch tasks{Tensor::zeros({2, 6, 4, 4, 1}, DType::kF64), class_major_labels(2, 3, 2),
                  Tensor::zeros({2, 4, 4, 4, 1}, DType::kF64), Tensor()};
  tasks.query_y = Tensor::from({2, 4}, std::vector<std::int64_t>{0, 0, 1, 2, 1, 1, 1, 2});
  const std::vector<double> frequency{2.0 / 8, 4.0 / 8, 2.0 / 8};  // mean over both tasks

  const double rate = 0.2;
  const double size = 4 * (0.3 * 0.3 + 0.7 * 0.7) + 1;  // four positions of each channel after the pool; relu(-0.2) = 0
  for (const int steps : {0, 1, 3}) {
    for (const Method method : {Method::kMixed, Method::kReverse}) {
      MetaOptions m = options_of(steps, rate);
      m.method = method;
      const auto g = meta_gradient(net, params, tasks, m).gradient;
      const double shrink = std::pow(1 - rate * size / 3, steps);
      for (int i = 0; i < 3; ++i) EXPECT_LT(norm({g[static_cast<std::size_t>(i)]}), test::kClosedForm);
      for (std::int64_t f = 0; f < 12; ++f)
        for (std::int64_t c = 0; c < 3; ++c)
          EXPECT_NEAR(g[3].item(f * 3 + c),
                      std::max(0.0, shift[static_cast<std::size_t>(f % 3)]) *
                          (1.0 / 3 - frequency[static_cast<std::size_t>(c)]) * shrink,
                      test::kClosedForm);
      for (std::int64_t c = 0; c < 3; ++c)
        EXPECT_NEAR(g[4].item(c), (1.0 / 3 - frequency[static_cast<std::size_t>(c)]) * shrink, test::kClosedForm);
    }
  }
}

TEST(MetaGradient, MixedMeetsReverse) {
  for (const bool scale : {true, false}) {
    nn::ConvNetOptions net = test::tiny_net();
    net.norm_scale = scale ? nn::NormScale::kYes : nn::NormScale::kNo;
    const auto p = test::random_problem(net, 2);
    for (const int steps : {1, 2, 3}) {
      MetaOptions mixed = options_of(steps), reverse = mixed;
      reverse.method = Method::kReverse;
      const MetaResult a = meta_gradient(p.net, p.params, p.tasks, mixed);
      const MetaResult b = meta_gradient(p.net, p.params, p.tasks, reverse);
      EXPECT_TRUE(near(a.gradient, b.gradient, kMixedReverse)) << "steps " << steps;
      EXPECT_TRUE(near(a.query_loss, b.query_loss, kMixedReverse));
      EXPECT_TRUE(near(support_loss_of(a), support_loss_of(b), kMixedReverse));
    }
  }
}

TEST(MetaGradient, SumLossIsTheMeanTimesTheImages) {
  const auto p = test::random_problem(test::tiny_net(), 2);
  MetaOptions mean = options_of(2, 0.12), sum = options_of(2, 0.12 / 6);  // 6 support images
  sum.inner.loss = LossReduction::kSum;
  auto g = gradient(p, mean);
  for (Tensor& t : g)
    for (double& x : t.mutable_data<double>()) x *= 6;  // 6 query images
  EXPECT_TRUE(near(gradient(p, sum), g, kMixedReverse));
}

TEST(MetaGradient, RateZeroIsThePlainGradient) {
  const auto p = test::random_problem(test::tiny_net(), 2);
  const auto g = gradient(p, options_of(2, 0));
  std::vector<Tensor> mean;
  for (const Tensor& t : p.params) mean.push_back(Tensor::zeros(t.shape(), DType::kF64));
  for (std::int64_t t = 0; t < 2; ++t) {
    const TaskBatch task = p.tasks.slice(t, 1);
    autograd::Vars at;
    for (const Tensor& x : p.params) at.push_back(autograd::variable(x));
    const auto loss =
        autograd::softmax_cross_entropy(p.net.logits(at, task.query_x), task.query_y, LossReduction::kMean);
    const auto each = autograd::values(autograd::grad(loss, at, autograd::Record::kValues));
    for (std::size_t i = 0; i < mean.size(); ++i)
      for (std::size_t j = 0; j < mean[i].data<double>().size(); ++j)
        mean[i].mutable_data<double>()[j] += each[i].data<double>()[j] / 2;
  }
  EXPECT_TRUE(near(g, mean, kMixedReverse));
}

/// second = first - rate H first, for one task and one step; H by an independent walk.
TEST(MetaGradient, SecondOrderDiffersFromFirstByTheHessian) {
  const auto p = test::random_problem(test::tiny_net(), 1);
  MetaOptions second = options_of(1), first = second;
  first.order = Order::kFirst;
  const auto g1 = gradient(p, first), g2 = gradient(p, second);
  autograd::Vars at(p.params.begin(), p.params.end()), along(g1.begin(), g1.end());
  const auto h = autograd::values(autograd::hvp_reverse(
      [&](const autograd::Vars& theta) -> autograd::Vars {
        return {autograd::softmax_cross_entropy(p.net.logits(theta, p.tasks.support_x), p.tasks.support_y,
                                                LossReduction::kMean)};
      },
      at, along, autograd::Record::kValues));
  EXPECT_TRUE(near(g2, test::shifted(g1, -0.1, h), kMixedReverse));
  std::vector<Tensor> difference = test::shifted(g2, -1.0, g1);
  EXPECT_GT(norm(difference), 1e-3 * norm(g1)) << "the second-order term is too small to be tested";
}

TEST(MetaGradient, FirstOrderIsTheSameInBothMethods) {
  const auto p = test::random_problem(test::tiny_net(), 2);
  MetaOptions mixed = options_of(2), reverse = mixed;
  mixed.order = reverse.order = Order::kFirst;
  reverse.method = Method::kReverse;
  EXPECT_TRUE(near(gradient(p, mixed), gradient(p, reverse), kMixedReverse));
}

TEST(MetaGradient, DoesNotDependOnTheCutIntoPrograms) {
  const auto p = test::random_problem(test::tiny_net(), 4);
  MetaOptions o = options_of(2);
  o.tasks_per_program = 1;
  const auto alone = gradient(p, o);
  for (const std::int64_t each : {3, 4}) {
    o.tasks_per_program = each;
    EXPECT_TRUE(near(gradient(p, o), alone, kProgramCut)) << each << " tasks a program";
  }
}

TEST(MetaGradient, SameBitsWhetherStepsAreKeptOrComputedAgain) {
  const auto p = test::random_problem(test::tiny_net(), 2, DType::kF32);
  MetaOptions keep = options_of(3), recompute = keep;
  keep.memory = StepMemory::kKeep;
  EXPECT_TRUE(same_bits(gradient(p, keep), gradient(p, recompute)));
}

TEST(MetaGradient, SameBitsAtAnyNumberOfThreads) {
  const auto p = test::random_problem(test::tiny_net(), 5, DType::kF32);
  const auto with = [&](int threads, std::int64_t each) {
    Context context(threads, Context::current().target());
    ContextScope scope(context);
    MetaOptions o = options_of(2);
    o.tasks_per_program = each;
    return gradient(p, o);
  };
  EXPECT_TRUE(same_bits(with(1, 1), with(2, 1)));
  EXPECT_TRUE(same_bits(with(1, 1), with(3, 1)));
  EXPECT_TRUE(same_bits(with(1, 5), with(2, 5)));
}

std::size_t peak_bytes(const test::RandomProblem& p, const MetaOptions& o) {
  Context context(1, Context::current().target());
  ContextScope scope(context);
  meta_gradient(p.net, p.params, p.tasks, o);
  return context.arena().stats().peak;
}

/// Recomputing mixed mode keeps one theta a step; reverse keeps every record of every step.
TEST(MetaGradient, MemoryOfMixedGrowsByTheParametersAlone) {
  nn::ConvNetOptions net = test::tiny_net();
  net.height = net.width = 24;  // records that outweigh parameters
  const auto p = test::random_problem(net, 1, DType::kF32);
  std::size_t parameters = 0;
  const std::size_t unit = Context::current().device() != nullptr ? Arena::kDeviceAlignment : Arena::kAlignment;
  for (const Tensor& t : p.params) parameters += (t.bytes() + unit - 1) / unit * unit;
  const auto grows = [&](Method method) {
    MetaOptions two = options_of(2), eight = options_of(8);
    two.method = eight.method = method;
    two.memory = eight.memory = StepMemory::kRecompute;
    return static_cast<double>(peak_bytes(p, eight)) - static_cast<double>(peak_bytes(p, two));
  };
  const double mixed = grows(Method::kMixed), reverse = grows(Method::kReverse);
  EXPECT_LE(mixed, 6.0 * static_cast<double>(parameters) + 6 * 2 * static_cast<double>(unit));  // theta, and a loss a step
  EXPECT_GT(reverse, 10 * mixed);
}

TEST(MetaGradient, LossIsTheMeanOverTasks) {
  const auto p = test::random_problem(test::tiny_net(), 3);
  const MetaOptions o = options_of(2);
  const MetaResult r = meta_gradient(p.net, p.params, p.tasks, o);
  const double mean = (r.query_loss.item(0) + r.query_loss.item(1) + r.query_loss.item(2)) / 3;
  EXPECT_NEAR(meta_loss(p.net, p.params, p.tasks, o.inner), mean, 1e-12);
}

TEST(MetaGradient, NamesShapesThatDoNotFit) {
  auto p = test::random_problem(test::tiny_net(), 2);
  p.tasks.query_y = class_major_labels(1, 3, 2);
  EXPECT_TRUE(test::throws_with([&] { gradient(p, options_of(1)); }, {"meta-gradient", "[1, 6]", "[2, 6, 12, 12, 1]"}));
}

}  // namespace
}  // namespace innerloop::meta
