#include "meta/evaluator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "autograd/op.h"
#include "fixtures.h"
#include "meta/predictor.h"
#include "support/compare.h"

namespace innerloop::meta {
namespace {

using test::throws_with;
using test::tiny_set;

EvalOptions options_of(std::int64_t steps = 3) {
  EvalOptions o;
  o.episode.ways = 3;
  o.episode.shots = 2;
  o.episode.queries = 3;
  o.episodes = 9;
  o.inner = {static_cast<int>(steps), 0.1, LossReduction::kMean};
  return o;
}

bool same(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0;
}

TEST(Evaluator, SameBitsAtAnyNumberOfThreads) {
  const io::ImageSet set = tiny_set({8, 8, 8, 8});
  const nn::ConvNet net(test::tiny_net());
  const auto run = [&](int threads, EvalNorm norm) {
    Context context(threads, Context::current().target());
    ContextScope scope(context);
    EvalOptions o = options_of();
    o.norm = norm;
    return evaluate(net, net.init(1), set, o);
  };
  for (const EvalNorm norm : {EvalNorm::kBatch, EvalNorm::kSupport}) {
    const EvalResult one = run(1, norm), two = run(2, norm);
    EXPECT_TRUE(same(one.accuracies, two.accuracies));
    EXPECT_EQ(one.query_loss, two.query_loss);
    EXPECT_EQ(one.named.roc_auc, two.named.roc_auc);
    EXPECT_EQ(one.protocol, two.protocol);
  }
}

/// The figures against a plain loop over the episodes.
TEST(Evaluator, CountsWhatTheEpisodesSay) {
  const io::ImageSet set = tiny_set({8, 8, 8, 8});
  const nn::ConvNet net(test::tiny_net());
  const auto params = net.init(1);
  const EvalOptions o = options_of();
  const EvalResult r = evaluate(net, params, set, o);
  const EpisodeSource source(set, o.episode);
  ConfusionMatrix confusion(4);
  double loss = 0;
  for (std::int64_t i = 0; i < o.episodes; ++i) {
    const Episodes e = source.draw(i, 1);
    const auto theta = adapt(net, params, e.tasks.support_x, e.tasks.support_y, o.inner);
    const Tensor logits = net.logits(autograd::Vars(theta.begin(), theta.end()), e.tasks.query_x).value();
    int right = 0;
    for (std::int64_t n = 0; n < 9; ++n) {
      int best = 0;
      double total = 0;
      for (int c = 0; c < 3; ++c) {
        if (logits.item(n * 3 + c) > logits.item(n * 3 + best)) best = c;
        total += std::exp(logits.item(n * 3 + c));
      }
      const auto truth = static_cast<int>(e.tasks.query_y.item(n));
      right += best == truth ? 1 : 0;
      loss += (std::log(total) - logits.item(n * 3 + truth)) / 81;
      confusion.add(e.classes[0][static_cast<std::size_t>(truth)], e.classes[0][static_cast<std::size_t>(best)]);
    }
    EXPECT_DOUBLE_EQ(r.accuracies[static_cast<std::size_t>(i)], right / 9.0);
  }
  EXPECT_NEAR(r.query_loss, loss, 1e-9);
  ASSERT_TRUE(r.has_named);
  EXPECT_EQ(r.named.classes, set.classes);
  for (int a = 0; a < 4; ++a)
    for (int b = 0; b < 4; ++b) EXPECT_EQ(r.named.confusion.count(a, b), confusion.count(a, b));
  EXPECT_NEAR(r.accuracy.mean, confusion.accuracy(), 1e-12);
  EXPECT_EQ(r.accuracy.n, 9);
}

TEST(Evaluator, LearnsWhatIsEasyAndGuessesWithoutSteps) {
  const io::ImageSet set = tiny_set({12, 12, 12});
  const nn::ConvNet net(test::tiny_net());
  EvalOptions o = options_of(30);
  o.inner.rate = 0.3;
  const EvalResult adapted = evaluate(net, net.init(1), set, o);
  EXPECT_GT(adapted.accuracy.mean, 0.9);
  EXPECT_GT(adapted.named.macro_roc_auc, 0.95);
  EXPECT_GT(adapted.f1, 0.9);
  o.inner.steps = 0;
  EXPECT_LT(evaluate(net, net.init(1), set, o).accuracy.mean, 0.7);
}

TEST(Evaluator, FreshStartsDependOnTheEpisodeAlone) {
  const io::ImageSet set = tiny_set({8, 8, 8});
  const nn::ConvNet net(test::tiny_net());
  EvalOptions o = options_of(0);
  o.fresh_init = FreshInit::kPerEpisode;
  const EvalResult a = evaluate(net, net.init(1), set, o), b = evaluate(net, net.init(2), set, o);
  EXPECT_EQ(a.query_loss, b.query_loss);
  o.fresh_init = FreshInit::kNo;
  EXPECT_NE(a.query_loss, evaluate(net, net.init(1), set, o).query_loss);
}

TEST(Evaluator, ManyClassesAreCountedByPositionOnly) {
  const io::ImageSet set = tiny_set({8, 8, 8, 8});
  const nn::ConvNet net(test::tiny_net());
  EvalOptions o = options_of();
  o.named_classes = 3;
  EXPECT_FALSE(evaluate(net, net.init(1), set, o).has_named);
}

TEST(Evaluator, StopsWhenAsked) {
  const io::ImageSet set = tiny_set({8, 8, 8});
  const nn::ConvNet net(test::tiny_net());
  std::atomic<bool> stop{false};
  EvalOptions o = options_of();
  o.episodes = 40;  // more than a device takes at once
  o.stop = &stop;
  std::int64_t last = 0;
  o.progress = [&](std::int64_t done, std::int64_t total) {
    EXPECT_GT(done, last);
    EXPECT_EQ(total, 40);
    last = done;
    if (done >= 2) stop = true;
  };
  EXPECT_EQ(evaluate(net, net.init(1), set, o).outcome, EvalOutcome::kStopped);
  EXPECT_LT(last, 40);
}

TEST(Evaluator, SaysWhatDoesNotFit) {
  const io::ImageSet set = tiny_set({8, 8, 4});
  const nn::ConvNet net(test::tiny_net());
  EvalOptions o = options_of();
  EXPECT_TRUE(throws_with([&] { check_evaluation(net, set, o); }, {"'c02'", "4 images", "5"}));
  o.episode.ways = 2;
  EXPECT_TRUE(throws_with([&] { evaluate(net, net.init(1), set, o); }, {"eval.ways", "2 ways", "task.ways = 3"}));
  o = options_of();
  EXPECT_TRUE(throws_with(
      [&] {
        evaluate(net, net.init(1), tiny_set({8, 8, 8}, 10), o);
      },
      {"10x10x1", "12x12x1", "data.size"}));
  o.inner.rate = 1e30;
  EXPECT_TRUE(throws_with([&] { evaluate(net, net.init(1), tiny_set({8, 8, 8}), o); }, {"episode 0", "not finite"}));
}

TEST(Predictor, SupportNormAnswersEachImageAlone) {
  const io::ImageSet support = tiny_set({2, 2, 2}), images = tiny_set({6, 6, 6});
  const nn::ConvNet net(test::tiny_net());
  PredictorOptions o;
  o.inner = {30, 0.3, LossReduction::kMean};
  const Predictor predictor(net, net.init(1), support, o);
  const Tensor all = predictor.predict(images.pixels);
  ASSERT_EQ(all.shape(), (Shape{18, 3}));
  int right = 0;
  for (std::int64_t i = 0; i < 18; ++i) {
    EXPECT_TRUE(test::same_bits({all.slice(i, 1)}, {predictor.predict(images.pixels.slice(i, 1))})) << "image " << i;
    double total = 0;
    std::int64_t best = 0;
    for (std::int64_t c = 0; c < 3; ++c) {
      total += all.item(i * 3 + c);
      if (all.item(i * 3 + c) > all.item(i * 3 + best)) best = c;
    }
    EXPECT_NEAR(total, 1, 1e-6);
    right += best == images.labels[static_cast<std::size_t>(i)] ? 1 : 0;
  }
  EXPECT_GE(right, 16);

  o.norm = EvalNorm::kBatch;
  const Predictor batch(net, net.init(1), support, o);
  EXPECT_FALSE(test::same_bits({batch.predict(images.pixels).slice(0, 1)},
                               {batch.predict(images.pixels.slice(0, 4)).slice(0, 1)}))
      << "batch statistics have to depend on the neighbours";
}

TEST(Predictor, SaysWhatDoesNotFit) {
  const nn::ConvNet net(test::tiny_net());
  EXPECT_TRUE(throws_with([&] { Predictor(net, net.init(1), tiny_set({2, 2}), {}); }, {"2 classes", "3"}));
  EXPECT_TRUE(throws_with([&] { Predictor(net, net.init(1), tiny_set({2, 0, 2}), {}); }, {"'c01'", "no image"}));
  EXPECT_TRUE(throws_with([&] { Predictor(net, net.init(1), tiny_set({2, 2, 2}, 10), {}); }, {"10x10x1", "12x12x1"}));
  PredictorOptions wild;
  wild.inner = {3, 1e30, LossReduction::kMean};
  EXPECT_TRUE(throws_with(
      [&] {
        Predictor(net, net.init(1), tiny_set({2, 2, 2}), wild);
      },
      {"not finite", "inner.rate"}));
}

}  // namespace
}  // namespace innerloop::meta
