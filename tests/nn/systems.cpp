// The comparison systems: sizes against their publications, shapes, derivatives, determinism.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "autograd/op.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/loss.h"
#include "autograd/ops/reduce.h"
#include "autograd/transforms.h"
#include "nn/systems/system.h"
#include "support/random.h"
#include "tensor/context.h"

namespace innerloop::nn {
namespace {

using autograd::Record;

std::int64_t count(System system, std::int64_t side, std::int64_t channels, std::int64_t ways) {
  return make_system({.system = system, .side = side, .channels = channels, .ways = ways}).parameter_count();
}

// --- parameter counts, each by another way than the network's own bookkeeping
// ----------------------------------------------------

TEST(Systems, Lenet5HasTheNumberOfItsUsualForm) {
  EXPECT_EQ(count(System::kLenet5, 32, 1, 10), 61706);
  EXPECT_EQ(count(System::kLenet5, 224, 1, 10), 61706);
  EXPECT_EQ(count(System::kLenet5, 32, 1, 3), 61706 - 7 * 85);
}

TEST(Systems, AlexnetHasThePublications60Million) {
  EXPECT_EQ(count(System::kAlexnet, 224, 3, 1000), 60965224);
  EXPECT_EQ(count(System::kAlexnet, 227, 3, 1000), 60965224);
  EXPECT_EQ(count(System::kAlexnet, 224, 3, 3), 60965224 - 997 * 4097);
}

TEST(Systems, Vgg19HasThePublications144Million) { EXPECT_EQ(count(System::kVgg19, 224, 3, 1000), 143667240); }

std::int64_t convs(std::initializer_list<std::int64_t> filters, std::int64_t channels) {
  std::int64_t n = 0;
  for (const std::int64_t f : filters) {
    n += 9 * channels * f + f;
    channels = f;
  }
  return n;
}

TEST(Systems, RecurrentSystemsHaveTheNumbersOfTheirLayers) {
  const std::int64_t lstm = 4 * (512 * 512 + 512 * 512 + 512), fc = 512 * 64 + 64;
  const std::int64_t twelve = convs({64, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512}, 3);
  EXPECT_EQ(count(System::kCnnLstm, 224, 3, 3), twelve + lstm + fc + 65 * 3);
  const std::int64_t vgg = convs({64, 64, 128, 128, 256, 256, 256, 256, 512, 512, 512, 512, 512, 512, 512, 512}, 3);
  EXPECT_EQ(vgg, 20024384);
  EXPECT_EQ(count(System::kCnnRnn, 224, 3, 3), vgg + 2 * 512 * 512 + 512 + 513 * 3);
  EXPECT_EQ(count(System::kCnnRnn, 64, 3, 3), vgg + 2 * 512 * 512 + 512 + 513 * 3);
}

TEST(Systems, EmcnetHasTheNumberOfItsLayersAndTwentyOfThem) {
  EXPECT_EQ(count(System::kEmcnet, 224, 3, 3), convs({32, 32, 64, 64, 128, 128}, 3) + (9 * 128 + 1) * 64 + 65 * 3);
  std::int64_t layers = 0;
  for (const LayerRow& row : make_system({.system = System::kEmcnet, .side = 224}).layers())
    layers += row.kind != "flatten" ? 1 : 0;
  EXPECT_EQ(layers, 20);
}

TEST(Systems, CovxnetHasTheNumberOfThePublishedUnits) {
  // Written after the units' description: every convolution has a bias and a batch norm of two values a channel behind
  // it.
  const auto pointwise = [](std::int64_t in, std::int64_t out) { return in * out + out + 2 * out; };
  const auto depthwise = [](std::int64_t c) { return 9 * c + c + 2 * c; };
  const auto unit = [&](std::int64_t in, std::int64_t inner, std::int64_t out, std::int64_t d) {
    return pointwise(in, inner) + d * depthwise(inner) + pointwise(d * inner, out);
  };
  const auto whole = [&](std::int64_t most, std::int64_t depth, std::int64_t ways) {
    std::int64_t n = 25 * 3 * 16 + 3 * 16 + 9 * 16 * 32 + 3 * 32, c = 32;
    for (std::int64_t d = most; d >= 2; --d) {
      n += depth * unit(c, 2 * c, c, d);
      if (d > 2) {
        n += unit(c, 4 * c, 2 * c, d);
        c *= 2;
      }
    }
    return n + c * 64 + 64 + 65 * ways;
  };
  EXPECT_EQ(count(System::kCovxnet, 224, 3, 3), whole(6, 2, 3));
  EXPECT_EQ(count(System::kCovxnet, 128, 3, 3), whole(5, 5, 3));
  EXPECT_EQ(count(System::kCovxnet, 64, 3, 2), whole(4, 5, 2));
  EXPECT_EQ(count(System::kCovxnet, 32, 3, 3), whole(3, 5, 3));
}

// --- every system
// ---------------------------------------------------------------------------------------------------------------

class EverySystem : public testing::TestWithParam<System> {};

SystemOptions tiny(System system) {
  return {.system = system,
          .side = std::max<std::int64_t>(smallest_side(system), 8),
          .channels = 1,
          .ways = 3,
          .width_factor = 1.0 / 64};
}

struct Sample {
  Classifier net;
  std::vector<Tensor> params;
  Tensor x, labels;
};

Sample sample(const SystemOptions& options, DType dtype, std::int64_t images) {
  Sample s{make_system(options), {}, {}, {}};
  for (const Tensor& p : s.net.init(3)) s.params.push_back(p.to(dtype));
  s.x = test::random_tensor({1, images, options.side, options.side, options.channels}, {0, 1}, 5, 0).to(dtype);
  s.labels = test::random_labels({1, images}, options.ways, 7);
  return s;
}

Var loss_of(const Sample& s, const Vars& params, const Pass& pass) {
  const ClassifierOutput out = s.net.forward(params, s.net.init_moments(), s.x, pass);
  return autograd::softmax_cross_entropy(out.logits, s.labels, autograd::LossReduction::kMean);
}

TEST_P(EverySystem, TakesGreyAndColourAndAnyNumberOfClassesFromItsSmallestSideOn) {
  const std::int64_t smallest = smallest_side(GetParam());
  for (const std::int64_t side : {smallest, smallest + 1, smallest + 9})
    for (const std::int64_t channels : {1, 3}) {
      SystemOptions o = tiny(GetParam());
      o.side = side;
      o.channels = channels;
      o.ways = 2 + side % 3;
      const Sample s = sample(o, DType::kF32, 2);
      const ClassifierOutput out = s.net.forward(Vars(s.params.begin(), s.params.end()), s.net.init_moments(), s.x, {});
      EXPECT_EQ(out.logits.shape(), (Shape{1, 2, o.ways}));
      EXPECT_EQ(out.features.shape()[0], 1);
      EXPECT_EQ(out.features.shape()[1], 2);
      EXPECT_TRUE(out.batch.mean.empty());
    }
}

TEST_P(EverySystem, NamesItsSmallestSideWhereTheImagesAreSmaller) {
  const std::int64_t smallest = smallest_side(GetParam());
  if (smallest == 1) GTEST_SKIP() << "no side is too small";
  try {
    make_system({.system = GetParam(), .side = smallest - 1});
    FAIL() << "a side of " << smallest - 1 << " was taken";
  } catch (const Error& e) {
    for (const std::string& word :
         {std::string("data.size"), std::to_string(smallest), std::string(name_of(GetParam()))})
      EXPECT_NE(std::string(e.what()).find(word), std::string::npos) << e.what();
  }
}

TEST_P(EverySystem, HasATableThatAddsUpAndNamesThatAreItsOwn) {
  const Classifier net = make_system({.system = GetParam(), .side = 224, .channels = 3, .ways = 4});
  std::int64_t sum = 0;
  for (const LayerRow& row : net.layers()) sum += row.parameters;
  EXPECT_EQ(sum, net.parameter_count());
  EXPECT_EQ(net.layers().back().output, (Shape{4}));
  EXPECT_FALSE(net.source().empty());
  std::set<std::string> names;
  for (const ParameterSpec& p : net.parameters()) EXPECT_TRUE(names.insert(p.name).second) << p.name;
}

TEST_P(EverySystem, GradientAgreesWithFiniteDifferencesThroughDropoutAndBatchNorm) {
  SystemOptions o = tiny(GetParam());
  o.width_factor = 1.0 / 16;
  Sample s = sample(o, DType::kF64, 3);
  const Pass pass{Phase::kTrain, {11, 4, 0}};
  // Away from biases of 0, where a unit whose inputs are all dropped or dead stands on the kink of its ReLU.
  for (std::size_t i = 0; i < s.params.size(); ++i)
    if (s.net.parameters()[i].shape.rank() == 1)
      s.params[i] = (Var(s.params[i]) +
                     Var(test::random_tensor(s.params[i].shape(), {0.05, 0.2}, 19, static_cast<std::uint32_t>(i))))
                        .value();
  Vars params;
  for (const Tensor& p : s.params) params.push_back(autograd::variable(p));
  const Vars gradient = autograd::grad(loss_of(s, params, pass), params, Record::kValues);
  // Along a random direction, at steps small enough that a ReLU or a pool hardly ever changes its mind in between.
  const std::vector<Tensor> direction = test::random_like(s.params, 13);
  double slope = 0;
  for (std::size_t i = 0; i < params.size(); ++i)
    slope += autograd::sum_all(gradient[i] * Var(direction[i])).value().item();
  const auto loss_at = [&](double step) {
    Vars moved;
    for (std::size_t i = 0; i < params.size(); ++i)
      moved.push_back(Var(s.params[i]) + autograd::scale(direction[i], step));
    return loss_of(s, moved, pass).value().item();
  };
  const double h = 1e-7;
  const double difference = (loss_at(h) - loss_at(-h)) / (2 * h);
  EXPECT_GT(std::abs(slope), 1e-6) << "a gradient of nothing proves nothing";
  EXPECT_NEAR(difference, slope, 1e-5 * std::max(1.0, std::abs(slope)));
}

TEST_P(EverySystem, GivesTheSameBitsAtAnyNumberOfThreads) {
  SystemOptions o = tiny(GetParam());
  o.width_factor = 1.0 / 8;
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 2, 5}) {
    Context context(threads);
    const ContextScope scope(context);
    const Sample s = sample(o, DType::kF32, 4);
    Vars params;
    for (const Tensor& p : s.params) params.push_back(autograd::variable(p));
    std::vector<float> all;
    for (const Var& g : autograd::grad(loss_of(s, params, {Phase::kTrain, {1, 2, 3}}), params, Record::kValues))
      for (const float v : g.value().data<float>()) all.push_back(v);
    results.push_back(std::move(all));
  }
  EXPECT_TRUE(results[0] == results[1]);
  EXPECT_TRUE(results[0] == results[2]);
}

TEST_P(EverySystem, AnswersAnImageAloneAsBesideOthers) {
  const Sample s = sample(tiny(GetParam()), DType::kF32, 3);
  const Vars params(s.params.begin(), s.params.end());
  NormMoments running = s.net.init_moments();
  for (std::size_t i = 0; i < running.mean.size(); ++i)
    running.mean[i] =
        test::random_tensor(running.mean[i].shape(), {}, 17, static_cast<std::uint32_t>(i)).to(DType::kF32);
  const Tensor together = s.net.forward(params, running, s.x, {}).logits.value();
  const Shape& x = s.x.shape();
  const Tensor rows = s.x.reshape({x[1], x[2], x[3], x[4]});
  for (std::int64_t n = 0; n < 3; ++n) {
    const Tensor one = rows.slice(n, 1).reshape({1, 1, x[2], x[3], x[4]});
    const Tensor alone = s.net.forward(params, running, one, {}).logits.value();
    for (std::int64_t c = 0; c < 3; ++c)
      EXPECT_NEAR(alone.item(c), together.item(n * 3 + c), 1e-5 * std::max(1.0, std::abs(alone.item(c))));
  }
}

std::string label(const testing::TestParamInfo<System>& info) { return std::string(name_of(info.param)); }
INSTANTIATE_TEST_SUITE_P(Systems, EverySystem, testing::ValuesIn(all_systems()), label);

// --- the parts
// ------------------------------------------------------------------------------------------------------------------

TEST(Classifier, RunningStatisticsMoveTowardsTheBatchsUnbiasedOnes) {
  NormMoments running, batch;
  running.mean = {Tensor::from({1, 1}, std::vector<float>{2})};
  running.variance = {Tensor::from({1, 1}, std::vector<float>{1})};
  batch.mean = {Tensor::from({1, 1}, std::vector<float>{4})};
  batch.variance = {Tensor::from({1, 1}, std::vector<float>{3})};
  batch.values = {4};
  const NormMoments next = updated_moments(running, batch, 0.75);
  EXPECT_FLOAT_EQ(static_cast<float>(next.mean[0].item()), 2.5f);
  EXPECT_FLOAT_EQ(static_cast<float>(next.variance[0].item()), 0.75f + 0.25f * 4);
  EXPECT_EQ(running.mean[0].item(), 2) << "the old statistics are whoever holds them's";
}

TEST(Classifier, DropsOnlyInTrainingAndByTheAddressOfThePass) {
  const Sample s = sample({.system = System::kEmcnet, .side = 64, .ways = 3, .width_factor = 0.25}, DType::kF32, 2);
  const Vars params(s.params.begin(), s.params.end());
  const auto logits = [&](const Pass& pass) {
    const Tensor t = s.net.forward(params, s.net.init_moments(), s.x, pass).logits.value().to_host();
    return std::vector<float>(t.data<float>().begin(), t.data<float>().end());
  };
  EXPECT_EQ(logits({Phase::kTrain, {1, 2, 0}}), logits({Phase::kTrain, {1, 2, 0}}));
  EXPECT_NE(logits({Phase::kTrain, {1, 2, 0}}), logits({Phase::kTrain, {1, 3, 0}}));
  EXPECT_EQ(logits({Phase::kEvaluate, {1, 2, 0}}), logits({Phase::kEvaluate, {1, 3, 0}}));
}

TEST(Classifier, NamesWhatDoesNotFit) {
  const Sample s = sample({.system = System::kLenet5, .side = 32, .ways = 3}, DType::kF32, 1);
  Vars params(s.params.begin(), s.params.end());
  const auto error = [&](const Vars& p, const Tensor& x) {
    try {
      s.net.forward(p, s.net.init_moments(), x, {});
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string("(no error)");
  };
  EXPECT_NE(error(params, Tensor::zeros({1, 1, 31, 32, 1}, DType::kF32)).find("[1, 1, 31, 32, 1]"), std::string::npos);
  params[1] = Tensor::zeros({1, 7}, DType::kF32);
  EXPECT_NE(error(params, s.x).find("c1.bias has shape [1, 7]"), std::string::npos);
  params.pop_back();
  EXPECT_NE(error(params, s.x).find("9 parameters where the network has 10"), std::string::npos);
}

}  // namespace
}  // namespace innerloop::nn
