// The meta-step as a program: it does what its parts do one by one, in bursts of any length, replayed or not.
#include "meta/meta_step.h"

#include <gtest/gtest.h>

#include "meta/fixtures.h"
#include "support/compare.h"

namespace innerloop::meta {
namespace {

TaskSourceOptions tasks_of(const std::vector<kernels::Augmentation>& augment) {
  TaskSourceOptions o;
  o.scheme = kernels::TaskScheme::kGroups;
  o.ways = 3;
  o.shots = 2;
  o.queries = 2;
  o.tasks = 3;
  o.augment = augment;
  return o;
}

struct Setting {
  io::ImageSet set = test::tiny_set({6, 6, 6, 6});
  TaskSource source{set, tasks_of({{.kind = kernels::AugmentKind::kSaltPepper, .probability = 0.2f, .salt = 0.5f},
                                   {.kind = kernels::AugmentKind::kShift, .pixels = 2}})};
  nn::ConvNet net{test::tiny_net()};
  OptimizerOptions optimizer{io::Optimizer::kAdam, 0.01, io::Schedule::kCosine, 12, 0.5};
  MetaOptions meta;
  std::vector<Tensor> params = net.init(3);

  Setting() {
    meta.inner.steps = 2;
    meta.inner.rate = 0.1;
  }
};

struct Trained {
  std::vector<Tensor> params;
  OptimizerState state;
  std::vector<StepFigures> figures;
  std::int64_t nodes = 0;
};

Trained train(const Setting& s, const std::vector<std::int64_t>& bursts, Replay replay) {
  MetaStep step(s.net, s.source, s.optimizer, s.meta, replay);
  step.set(s.params, init_optimizer(s.optimizer, s.params));
  Trained t;
  for (const std::int64_t n : bursts)
    for (const StepFigures& f : step.run(n)) t.figures.push_back(f);
  t.params = step.params();
  t.state = step.state();
  t.nodes = step.recorded_nodes();
  return t;
}

TEST(MetaStep, DoesWhatItsPartsDo) {
  const Setting s;
  const Trained t = train(s, {3}, Replay::kOff);
  std::vector<Tensor> params;
  for (const Tensor& p : s.params) params.push_back(p.clone());
  OptimizerState state = init_optimizer(s.optimizer, params);
  const Tensor table = schedule_table(s.optimizer);
  for (std::int64_t step = 0; step < 3; ++step) {
    MetaResult r = meta_gradient(s.net, params, s.source.draw(step), s.meta);
    const StepFigures& f = t.figures[static_cast<std::size_t>(step)];
    EXPECT_DOUBLE_EQ(f.gradient_norm, norm(r.gradient));
    double loss = 0, accuracy = 0, inner = 0;
    for (std::int64_t k = 0; k < 3; ++k) {
      loss += r.query_loss.item(k) / 3;
      accuracy += r.query_accuracy.item(k) / 3;
      inner += r.support_loss[1].item(k) / 3;
    }
    EXPECT_NEAR(f.query_loss, loss, 1e-12);
    EXPECT_NEAR(f.query_accuracy, accuracy, 1e-12);
    EXPECT_NEAR(f.inner_loss, inner, 1e-12);
    update(s.optimizer, table.slice(step, 1).reshape({3}), params, state, r.gradient);
  }
  std::vector<Tensor> on_host;
  for (const Tensor& p : params) on_host.push_back(p.to_host());
  EXPECT_TRUE(test::same_bits(t.params, on_host));
  EXPECT_EQ(t.state.step, 3);
}

TEST(MetaStep, SameBitsInBurstsOfAnyLengthReplayedOrNot) {
  const Setting s;
  const Trained one = train(s, {1, 1, 1, 1, 1, 1}, Replay::kOff);
  for (const Replay replay : {Replay::kOff, Replay::kOn})
    for (const std::vector<std::int64_t>& bursts : {std::vector<std::int64_t>{6}, {1, 4, 1}, {2, 2, 2}}) {
      const Trained t = train(s, bursts, replay);
      EXPECT_TRUE(test::same_bits(t.params, one.params));
      EXPECT_TRUE(test::same_bits(t.state.m, one.state.m));
      EXPECT_TRUE(test::same_bits(t.state.v, one.state.v));
      ASSERT_EQ(t.figures.size(), one.figures.size());
      for (std::size_t i = 0; i < t.figures.size(); ++i) {
        EXPECT_EQ(t.figures[i].query_loss, one.figures[i].query_loss);
        EXPECT_EQ(t.figures[i].gradient_norm, one.figures[i].gradient_norm);
      }
      EXPECT_EQ(t.nodes > 0, replay == Replay::kOn && Context::current().device() != nullptr);
    }
}

/// What the dry run needed is what every later step needs.
TEST(MetaStep, TheFirstStepTellsTheMemoryOfAll) {
  if (Context::current().device() == nullptr) GTEST_SKIP() << "a CPU has no plan to meet";
  const Setting s;
  MetaStep step(s.net, s.source, s.optimizer, s.meta);
  step.set(s.params, init_optimizer(s.optimizer, s.params));
  step.run(1);
  const std::size_t predicted = step.peak_bytes();
  EXPECT_GT(predicted, 0u);
  step.run(4);
  EXPECT_GT(step.recorded_nodes(), 0);
  EXPECT_EQ(step.peak_bytes(), predicted);
}

TEST(MetaStep, GoesOnFromWhereItWasStopped) {
  const Setting s;
  const Trained whole = train(s, {5}, Replay::kOn), first = train(s, {2}, Replay::kOn);
  MetaStep rest(s.net, s.source, s.optimizer, s.meta);
  rest.set(first.params, first.state);
  rest.run(3);
  EXPECT_TRUE(test::same_bits(rest.params(), whole.params));
  EXPECT_EQ(rest.state().step, 5);
}

TEST(MetaStep, FlagsWhatIsNotFinite) {
  Setting s;
  s.meta.inner.rate = 1e30;
  const Trained t = train(s, {1}, Replay::kOff);
  EXPECT_FALSE(t.figures[0].finite_gradient);
  EXPECT_FALSE(t.figures[0].finite_parameters);
}

TEST(MetaStep, RefusesMoreStepsThanItsScheduleHas) {
  const Setting s;
  MetaStep step(s.net, s.source, s.optimizer, s.meta);
  step.set(s.params, init_optimizer(s.optimizer, s.params));
  EXPECT_TRUE(test::throws_with([&] { step.run(13); }, {"13 steps", "of 12"}));
  EXPECT_TRUE(test::throws_with([&] { step.run(MetaStep::kMaxBurst + 1); }, {"burst"}));
}

}  // namespace
}  // namespace innerloop::meta
