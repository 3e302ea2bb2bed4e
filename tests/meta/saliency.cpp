#include "meta/saliency.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "autograd/op.h"
#include "autograd/transforms.h"
#include "meta/fixtures.h"
#include "support/compare.h"

namespace innerloop::meta {
namespace {

using test::tiny_net;

struct Given {
  nn::ConvNet net;
  std::vector<Tensor> params;
  Tensor x;
  nn::NormStatistics statistics;
};

Given given(nn::ConvNetOptions options, std::int64_t images) {
  nn::ConvNet net(options);
  std::vector<Tensor> params = net.init(5);
  Tensor x = Tensor::empty({1, images, options.height, options.width, 1}, DType::kF32);
  PhiloxSequence random(1, Stream::kCheck, 0, 0);
  for (float& v : x.mutable_data<float>()) v = random.uniform();
  nn::NormStatistics statistics;
  net.logits_and_statistics(params, x, statistics);
  return {net, params, x, statistics};
}

/// A head that reads nothing but the last block's channel k, with weight 1, for class 0: then dl/da is 1 there.
TEST(Saliency, IsTheActivationWhereTheHeadReadsOneChannel) {
  nn::ConvNetOptions o = tiny_net();
  o.filters = {4};
  o.height = o.width = 16;
  Given g = given(o, 2);
  const std::int64_t features = g.net.features();
  std::vector<float> weight(static_cast<std::size_t>(features * o.ways));
  for (std::int64_t f = 2; f < features; f += 4) weight[static_cast<std::size_t>(f * o.ways)] = 1;
  g.params[g.params.size() - 2] = Tensor::from({1, features, o.ways}, weight);
  const std::vector<std::int64_t> classes{0, 0};
  const Saliency s = saliency_of(g.net, g.params, g.statistics, g.x, classes);
  EXPECT_EQ(s.block, "block1");
  ASSERT_EQ(s.map.shape(), (Shape{2, 8, 8}));

  const autograd::Vars params(g.params.begin(), g.params.end());
  const Tensor a = g.net.activations_with_statistics(params, g.x, g.statistics)[0].value();
  for (std::int64_t n = 0; n < 2; ++n) {
    float largest = 0;
    const auto channel = [&](std::int64_t cell) { return a.data<float>()[static_cast<std::size_t>((n * 64 + cell) * 4 + 2)]; };
    for (std::int64_t cell = 0; cell < 64; ++cell) largest = std::max(largest, channel(cell));
    ASSERT_GT(largest, 0);
    for (std::int64_t cell = 0; cell < 64; ++cell)
      EXPECT_NEAR(s.map.data<float>()[static_cast<std::size_t>(n * 64 + cell)], channel(cell) / largest, 1e-6) << cell;
  }
  // Nothing speaks for a class whose weights are zero.
  const std::vector<std::int64_t> unread{1, 1};
  const Saliency none = saliency_of(g.net, g.params, g.statistics, g.x, unread);
  for (float v : none.map.data<float>()) EXPECT_EQ(v, 0);
}

TEST(Saliency, ShowsTheDeepestBlockThatStillTellsPlacesApart) {
  nn::ConvNetOptions o = tiny_net();
  o.height = o.width = 28;
  o.filters = {4, 4, 4};
  const std::vector<std::int64_t> one{1};
  const auto block = [&](std::int64_t side) {
    o.height = o.width = side;
    const Given g = given(o, 1);
    return saliency_of(g.net, g.params, g.statistics, g.x, one).block;
  };
  EXPECT_EQ(block(28), "block2");
  EXPECT_EQ(block(56), "block3");
  EXPECT_EQ(block(13), "block1");
}

TEST(Saliency, OfAnImageDependsOnThatImageAlone) {
  const Given g = given(tiny_net(), 3);
  const std::vector<std::int64_t> classes{0, 1, 2};
  const Saliency all = saliency_of(g.net, g.params, g.statistics, g.x, classes);
  const Shape& s = g.x.shape();
  const Tensor images = g.x.reshape({s[1], s[2], s[3], s[4]});
  for (std::int64_t n = 0; n < 3; ++n) {
    const Saliency alone = saliency_of(g.net, g.params, g.statistics, images.slice(n, 1).reshape({1, 1, s[2], s[3], s[4]}),
                                       std::span(classes).subspan(static_cast<std::size_t>(n), 1));
    const auto a = alone.map.data<float>(), b = all.map.slice(n, 1).data<float>();
    EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end())) << n;
    EXPECT_EQ(*std::max_element(a.begin(), a.end()), 1) << n;
  }
}

TEST(Saliency, Refuses) {
  const Given g = given(tiny_net(), 2);
  const std::vector<std::int64_t> wrong{0, 3}, few{0};
  EXPECT_TRUE(test::throws_with([&] { saliency_of(g.net, g.params, g.statistics, g.x, wrong); }, {"class 3", "3 classes"}));
  EXPECT_TRUE(test::throws_with([&] { saliency_of(g.net, g.params, g.statistics, g.x, few); }, {"1 classes"}));
}

}  // namespace
}  // namespace innerloop::meta
