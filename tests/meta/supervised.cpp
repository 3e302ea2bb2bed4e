// Supervised training: batches, weights, early stopping, resuming, and what it refuses.
#include "meta/supervised.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "fixtures.h"
#include "nn/systems/system.h"
#include "support/compare.h"
#include "tensor/context.h"

namespace innerloop::meta {
namespace {

using test::throws_with;

nn::Classifier small_net(std::int64_t ways = 3) {
  return nn::make_system({.system = nn::System::kLenet5, .side = 16, .ways = ways, .width_factor = 1});
}

SupervisedOptions quick(std::int64_t iterations) {
  SupervisedOptions o;
  o.optimizer.rate = 0.003;
  o.optimizer.iterations = iterations;
  o.batch = 8;
  o.validate_every = 5;
  return o;
}

std::vector<float> bits(const std::vector<Tensor>& tensors) {
  std::vector<float> all;
  for (const Tensor& t : tensors)
    for (const float v : t.to_host().data<float>()) all.push_back(v);
  return all;
}

TEST(Supervised, LearnsAndAnswersWithTheBestCheck) {
  const io::ImageSet set = test::tiny_set({20, 20, 20}, 16);
  const TrainPart part = split_validation(set, 0.2, 3);
  EXPECT_EQ(part.validation.count(), 12);
  std::vector<CheckFigures> checks;
  FitCallbacks callbacks;
  callbacks.on_check = [&](const CheckFigures& f) { checks.push_back(f); };
  const nn::Classifier net = small_net();
  const SupervisedOptions o = quick(60);
  const FitResult result =
      fit(net, labelled_images(part.train), labelled_images(part.validation), o, start_fit(net, o), callbacks);
  EXPECT_EQ(result.end, FitEnd::kIterations);
  ASSERT_EQ(checks.size(), 12u);
  double best = checks[0].loss;
  std::int64_t at = checks[0].iteration;
  for (const CheckFigures& c : checks)
    if (c.loss < best) {
      best = c.loss;
      at = c.iteration;
    }
  EXPECT_EQ(result.state.best.iteration, at);
  EXPECT_EQ(result.state.best.loss, best);
  const Tensor p = classify(net, result.chosen(), part.validation.pixels);
  double right = 0, loss = 0;
  for (std::int64_t i = 0; i < 12; ++i) {
    const auto truth = part.validation.labels[static_cast<std::size_t>(i)];
    double sum = 0;
    bool most = true;
    for (std::int64_t c = 0; c < 3; ++c) {
      sum += p.item(i * 3 + c);
      most &= p.item(i * 3 + truth) >= p.item(i * 3 + c);
    }
    EXPECT_NEAR(sum, 1, 1e-5);
    right += most ? 1 : 0;
    loss -= std::log(p.item(i * 3 + truth)) / 12;
  }
  EXPECT_NEAR(loss, best, 1e-4) << "the chosen weights are those of the best check";
  EXPECT_GE(right / 12, 0.9);
}

TEST(Supervised, GoesOnToTheSameBitsAtAnyNumberOfThreads) {
  const io::ImageSet set = test::tiny_set({9, 9, 9}, 16);
  const TrainPart part = split_validation(set, 0.25, 3);
  const LabelledImages train = labelled_images(part.train), validation = labelled_images(part.validation);
  const nn::Classifier net = small_net();
  SupervisedOptions o = quick(24);
  o.augment = {{.kind = kernels::AugmentKind::kSaltPepper, .probability = 0.1f, .salt = 0.5f},
               {.kind = kernels::AugmentKind::kShift, .pixels = 2}};
  Context one(1), three(3);
  const FitResult straight = [&] {
    const ContextScope scope(one);
    return fit(net, train, validation, o, start_fit(net, o));
  }();
  const ContextScope scope(three);
  FitState middle;
  FitCallbacks stop_at_13;
  std::atomic<bool> stop = false;
  stop_at_13.stop = &stop;
  stop_at_13.on_state = [&](const FitState& s) { stop = s.iteration == 13; };
  FitResult first = fit(net, train, validation, o, start_fit(net, o), stop_at_13);
  EXPECT_EQ(first.end, FitEnd::kStopped);
  EXPECT_EQ(first.state.iteration, 13);
  const FitResult second = fit(net, train, validation, o, first.state);
  EXPECT_TRUE(bits(second.state.weights.params) == bits(straight.state.weights.params));
  EXPECT_TRUE(bits(second.chosen().params) == bits(straight.chosen().params));
  EXPECT_EQ(second.state.best.loss, straight.state.best.loss);
  EXPECT_EQ(second.state.checks_without_gain, straight.state.checks_without_gain);
  EXPECT_FALSE(bits(first.state.weights.params) == bits(second.state.weights.params))
      << "the state handed in is not written to";
}

TEST(Supervised, StopsWhenPatienceEnds) {
  const io::ImageSet set = test::tiny_set({6, 6, 6}, 16);
  const TrainPart part = split_validation(set, 0.34, 3);
  const nn::Classifier net = small_net();
  SupervisedOptions o = quick(1000);
  o.optimizer.rate = 0;  // nothing gets better after the first check
  o.validate_every = 1;
  o.patience = 3;
  const FitResult result =
      fit(net, labelled_images(part.train), labelled_images(part.validation), o, start_fit(net, o));
  EXPECT_EQ(result.end, FitEnd::kPatience);
  EXPECT_EQ(result.state.iteration, 4);
  EXPECT_EQ(result.state.best.iteration, 1);
  o.patience = 0;
  o.optimizer.iterations = 9;
  EXPECT_EQ(
      fit(net, labelled_images(part.train), labelled_images(part.validation), o, start_fit(net, o)).state.iteration, 9);
}

TEST(Supervised, BalancedWeightsMakeARareClassCount) {
  // One class holds nine tenths of the images. Without features to tell them apart (rate on the output's bias alone
  // would do), the loss of the first iteration, at equal logits, is log 3 in both cases; what differs is the gradient
  // of the biases.
  const io::ImageSet set = test::tiny_set({18, 1, 1}, 16);
  const nn::Classifier net = small_net();
  SupervisedOptions o = quick(1);
  o.batch = 20;
  o.optimizer.kind = io::Optimizer::kSgd;
  o.optimizer.rate = 1;
  Weights flat{net.init(1), net.init_moments()};
  for (Tensor& p : flat.params) p = Tensor::zeros(p.shape(), p.dtype());
  const auto bias_after = [&](ClassWeights weights) {
    o.class_weights = weights;
    const FitResult r = fit(net, labelled_images(set), {}, o, start_fit(flat, o));
    const Tensor b = r.state.weights.params.back();
    return std::vector<double>{b.item(0), b.item(1), b.item(2)};
  };
  // d loss / d bias_c = 1/3 - (weight of class c's images in the batch)
  const auto plain = bias_after(ClassWeights::kNone), balanced = bias_after(ClassWeights::kBalanced);
  EXPECT_NEAR(plain[0], 0.9 - 1.0 / 3, 1e-6);
  EXPECT_NEAR(plain[1], 0.05 - 1.0 / 3, 1e-6);
  for (const double b : balanced) EXPECT_NEAR(b, 0, 1e-6);
}

TEST(Supervised, SparesNoValidationImageWhereAClassWouldGoWithout) {
  const TrainPart part = split_validation(test::tiny_set({1, 1, 1}), 0.15, 1);
  EXPECT_EQ(part.train.count(), 3);
  EXPECT_EQ(part.validation.count(), 0);
  EXPECT_NE(part.note.find("too few"), std::string::npos);
  EXPECT_EQ(split_validation(test::tiny_set({9, 9}), 0, 1).train.count(), 18);
}

TEST(Supervised, KeepsAPatientOnOneSide) {
  io::ImageSet set = test::tiny_set({12, 12});
  for (std::size_t i = 0; i < set.groups.size(); ++i) set.groups[i] = static_cast<std::int64_t>(i / 3);
  const TrainPart part = split_validation(set, 0.3, 5);
  ASSERT_GT(part.validation.count(), 0);
  const std::set<std::int64_t> train(part.train.groups.begin(), part.train.groups.end());
  for (const std::int64_t g : part.validation.groups) EXPECT_FALSE(train.contains(g));
}

TEST(Supervised, NamesWhatItCannotTrainOn) {
  const nn::Classifier net = small_net();
  const SupervisedOptions o = quick(5);
  const auto run = [&](const LabelledImages& images, const SupervisedOptions& options) {
    fit(net, images, {}, options, start_fit(net, options));
  };
  EXPECT_TRUE(throws_with([&] { run({}, o); }, {"LeNet-5", "no image"}));
  LabelledImages other = labelled_images(test::tiny_set({2, 2}, 12));
  EXPECT_TRUE(throws_with([&] { run(other, o); }, {"LeNet-5", "[4, 12, 12, 1]", "16x16x1"}));
  LabelledImages wrong = labelled_images(test::tiny_set({2, 2}, 16));
  wrong.labels[1] = 7;
  EXPECT_TRUE(throws_with([&] { run(wrong, o); }, {"label of 7", "3 classes"}));
  SupervisedOptions wild = quick(50);
  wild.optimizer.kind = io::Optimizer::kSgd;
  wild.optimizer.rate = 1e300;
  EXPECT_TRUE(throws_with(
      [&] {
        run(labelled_images(test::tiny_set({4, 4}, 16)), wild);
      },
      {"LeNet-5", "not finite", "supervised.rate"}));
}

}  // namespace
}  // namespace innerloop::meta
