// The network as a contract: names, shapes, padding, start values, statistics, errors.
#include "nn/conv_net.h"

#include <gtest/gtest.h>

#include <cmath>

#include "nn/nets.h"
#include "support/compare.h"
#include "support/random.h"
#include "support/tolerance.h"

namespace innerloop::test {
namespace {

using nn::ConvNet;
using nn::ConvNetOptions;

TEST(ConvNet, HasTheNamesAndShapesThatFilesHold) {
  ConvNetOptions o;
  o.filters = {16, 32};
  o.height = 21;
  o.width = 10;
  o.channels = 3;
  o.ways = 4;
  const ConvNet net(o);
  const std::vector<std::string> names{"block1.conv.weight", "block1.norm.scale", "block1.norm.shift",
                                       "block2.conv.weight", "block2.norm.scale", "block2.norm.shift",
                                       "head.weight",        "head.bias"};
  const std::vector<Shape> shapes{{3, 3, 3, 16}, {16}, {16}, {3, 3, 16, 32}, {32}, {32}, {5 * 2 * 32, 4}, {4}};
  EXPECT_EQ(net.names(), names);
  EXPECT_EQ(net.shapes(), shapes);
  EXPECT_EQ(net.features(), 5 * 2 * 32);
  EXPECT_EQ(net.parameter_count(), 432 + 32 + 4608 + 64 + 1280 + 4);

  o.norm_scale = nn::NormScale::kNo;
  o.head = nn::Head::kMean;
  const ConvNet plain(o);
  const std::vector<std::string> plain_names{"block1.conv.weight", "block1.norm.shift", "block2.conv.weight",
                                             "block2.norm.shift",  "head.weight",       "head.bias"};
  EXPECT_EQ(plain.names(), plain_names);
  EXPECT_EQ(plain.shapes()[4], (Shape{32, 4}));
}

TEST(ConvNet, PresetsHaveTheirPublishedSizes) {
  // Conv4 at 28x28 with 64 filters flattens to 64 features: 576 + 3 * 36864 weights, 8 * 64 scales and shifts, and the
  // head.
  const ConvNet omniglot({});
  EXPECT_EQ(omniglot.features(), 64);
  EXPECT_EQ(omniglot.parameter_count(), 576 + 3 * 36864 + 8 * 64 + 64 * 5 + 5);
  ConvNetOptions mini;
  mini.filters = {32, 32, 32, 32};
  mini.height = mini.width = 84;
  mini.channels = 3;
  EXPECT_EQ(ConvNet(mini).features(), 800);
  ConvNetOptions paper;
  paper.filters = {16, 32, 64, 64};
  paper.height = paper.width = 500;
  EXPECT_EQ(ConvNet(paper).features(), 61504);
}

TEST(ConvNet, SamePaddingIsTensorFlows) {
  for (std::int64_t stride : {1, 2, 3})
    for (std::int64_t kernel : {2, 3, 5})
      for (std::int64_t side : {5, 6, 7, 8}) {
        SCOPED_TRACE(fmt::format("stride {} kernel {} side {}", stride, kernel, side));
        Family f;
        f.options.filters = {2};
        f.options.kernel = kernel;
        f.options.stride = stride;
        f.options.padding = nn::Padding::kSame;
        f.options.pool = nn::Pool::kNone;
        f.options.height = side;
        f.options.width = side + 1;
        f.options.ways = 2;
        f.images = 2;
        const ConvNet net(f.options);
        const auto ceil_div = [&](std::int64_t n) { return (n + stride - 1) / stride; };
        EXPECT_EQ(net.features(), 2 * ceil_div(side) * ceil_div(side + 1));
        const Instance i = instance(f, 1, 1, 5);
        const Array expected = net_oracle(f.options, Arrays(i.params.begin(), i.params.end()), Array(i.images)).logits;
        EXPECT_TRUE(near(net.logits(constants(i.params), i.images).value(), expected, kForwardF64 * 10));
      }
}

TEST(ConvNet, StartsFromTheSeedAlone) {
  const ConvNet net({});
  const std::vector<Tensor> first = net.init(7);
  EXPECT_TRUE(same_bits(first, net.init(7)));
  EXPECT_FALSE(same_bits(first, net.init(8)));
  ASSERT_EQ(first.size(), net.names().size());
  for (std::size_t i = 0; i < first.size(); ++i) {
    const std::string& name = net.names()[i];
    SCOPED_TRACE(name);
    EXPECT_EQ(first[i].dtype(), DType::kF32);
    EXPECT_EQ(first[i].shape()[0], 1);
    EXPECT_EQ(first[i].numel(), net.shapes()[i].numel());
    if (!name.ends_with(".weight")) {
      const double value = name.ends_with(".scale") ? 1 : 0;
      EXPECT_TRUE(same_bits({first[i]}, {Tensor::full(first[i].shape(), DType::kF32, value)}));
      continue;
    }
    // Uniform in +-sqrt(6 / (fan in + fan out)): mean 0 and variance 2 / (fan in + fan out), within four standard
    // errors.
    const Shape& s = net.shapes()[i];
    const double window = s.rank() == 4 ? 9 : 1;
    const double variance = 2 / (window * static_cast<double>(s[-2] + s[-1])), bound = std::sqrt(3 * variance);
    const auto x = first[i].data<float>();
    const auto n = static_cast<double>(x.size());
    double mean = 0, square = 0, largest = 0;
    for (float v : x) mean += v / n, square += double{v} * v / n, largest = std::max(largest, std::abs(double{v}));
    EXPECT_NEAR(mean, 0, 4 * std::sqrt(variance / n));
    EXPECT_NEAR(square, variance, 4 * variance * std::sqrt(0.8 / n));
    EXPECT_LE(largest, bound * (1 + kEpsilonF32));
    EXPECT_GT(largest, 0.9 * bound);
  }
  // Layers of one size do not repeat each other.
  EXPECT_FALSE(same_bits({first[3]}, {first[6]}));
}

class ConvNetFamily : public ::testing::TestWithParam<Family> {};

TEST_P(ConvNetFamily, StatisticsOfTheBatchGiveItsLogits) {
  const ConvNet net(GetParam().options);
  const Instance i = instance(GetParam(), 1, 2, 3);
  for (DType dtype : {DType::kF64, DType::kF32}) {
    const std::vector<Tensor> params = cast(i.params, dtype);
    const Tensor images = i.images.to(dtype);
    nn::NormStatistics statistics;
    const Tensor own = net.logits_and_statistics(params, images, statistics);
    EXPECT_TRUE(same_bits({own}, {net.logits(constants(params), images).value()}));
    ASSERT_EQ(statistics.mean.size(), net.options().filters.size());
    for (std::size_t b = 0; b < statistics.mean.size(); ++b) {
      EXPECT_EQ(statistics.mean[b].shape(), (Shape{2, net.options().filters[b]}));
      EXPECT_EQ(statistics.rstd[b].shape(), (Shape{2, net.options().filters[b]}));
    }
    const Tensor given = net.logits_with_statistics(params, images, statistics);
    EXPECT_TRUE(near(given, own, dtype == DType::kF64 ? kForwardF64 : kForwardF32)) << name_of(dtype);
    const auto activations = net.activations_with_statistics(constants(params), images, statistics);
    ASSERT_EQ(activations.size(), net.options().filters.size() + 1);
    EXPECT_TRUE(near(activations.back().value(), given, dtype == DType::kF64 ? kForwardF64 : kForwardF32)) << name_of(dtype);
  }
}

TEST_P(ConvNetFamily, GivenStatisticsMakeImagesIndependent) {
  const ConvNet net(GetParam().options);
  const Instance i = instance(GetParam(), 1, 1, 4);
  const std::vector<Tensor> params = cast(i.params, DType::kF32);
  const Tensor images = i.images.to(DType::kF32);
  const Shape s = images.shape();
  nn::NormStatistics statistics;
  net.logits_and_statistics(params, images, statistics);
  const Tensor together = net.logits_with_statistics(params, images, statistics).reshape({s[1], net.options().ways});
  const Tensor batch = net.logits(constants(params), images).value().reshape({s[1], net.options().ways});
  for (std::int64_t n = 0; n < s[1]; ++n) {
    const Tensor one = images.reshape({s[1], s[2], s[3], s[4]}).slice(n, 1).reshape({1, 1, s[2], s[3], s[4]});
    const Tensor alone = net.logits_with_statistics(params, one, statistics).reshape({1, net.options().ways});
    EXPECT_TRUE(same_bits({alone}, {together.slice(n, 1)})) << "image " << n;
    // Which the batch's own statistics do not.
    const Tensor own = net.logits(constants(params), one).value().reshape({1, net.options().ways});
    EXPECT_FALSE(near(own, batch.slice(n, 1), 1e-2)) << "image " << n;
  }
}

INSTANTIATE_TEST_SUITE_P(Presets, ConvNetFamily, ::testing::ValuesIn(families()),
                         [](const ::testing::TestParamInfo<Family>& f) { return f.param.name; });

TEST(ConvNet, ErrorsNameTheKeyAndTheRemedy) {
  const auto with = [](auto change) {
    return [change] {
      ConvNetOptions o;
      change(o);
      ConvNet net(std::move(o));
    };
  };
  EXPECT_TRUE(throws_with(with([](auto& o) { o.height = o.width = 15; }),
                          {"15x15", "block 4 of 4", "data.size", "model.filters"}));
  EXPECT_TRUE(
      throws_with(with([](auto& o) { o.kernel = 4, o.stride = 2, o.pool = nn::Pool::kNone, o.height = o.width = 9; }),
                  {"9x9", "data.size"}));
  EXPECT_TRUE(throws_with(with([](auto& o) { o.filters = {}; }), {"model.filters"}));
  EXPECT_TRUE(throws_with(with([](auto& o) { o.filters = {8, 0}; }), {"model.filters", "0"}));
  EXPECT_TRUE(throws_with(with([](auto& o) { o.stride = 0; }), {"model.stride", "0"}));
  EXPECT_TRUE(throws_with(with([](auto& o) { o.kernel = 0; }), {"model.kernel", "0"}));
  EXPECT_TRUE(throws_with(with([](auto& o) { o.ways = 0; }), {"ways"}));
  EXPECT_NO_THROW(with([](auto& o) { o.height = o.width = 16; })());

  const ConvNet net({});
  const std::vector<Tensor> params = net.init(1);
  const Tensor images = Tensor::zeros({1, 2, 28, 28, 1}, DType::kF32),
               wrong = Tensor::zeros({1, 2, 28, 28, 3}, DType::kF32);
  EXPECT_TRUE(throws_with([&] { net.logits(constants(params), wrong); }, {"[1, 2, 28, 28, 3]", "28x28x1"}));
  EXPECT_TRUE(throws_with([&] { net.logits(constants({params[0]}), images); }, {"1 parameters", "14"}));
  EXPECT_TRUE(throws_with([&] { net.logits_with_statistics(params, images, {}); }, {"statistics of 0 blocks for 4"}));

  std::vector<Tensor> bare;
  for (std::size_t i = 0; i < params.size(); ++i) bare.push_back(params[i].reshape(net.shapes()[i]));
  EXPECT_NO_THROW(net.check_shapes(bare));
  bare[3] = Tensor::zeros({3, 3, 32, 64}, DType::kF32);
  EXPECT_TRUE(throws_with([&] { net.check_shapes(bare); }, {"block2.conv.weight", "[3, 3, 32, 64]", "[3, 3, 64, 64]"}));
  bare.pop_back();
  EXPECT_TRUE(throws_with([&] { net.check_shapes(bare); }, {"13 parameters", "14"}));
}

}  // namespace
}  // namespace innerloop::test
