#include "nn/nets.h"

#include <algorithm>

#include "autograd/ops/loss.h"
#include "autograd/ops/reduce.h"
#include "support/compare.h"
#include "support/oracles.h"
#include "support/random.h"

namespace innerloop::test {

std::vector<Family> families() {
  nn::ConvNetOptions paper;
  paper.filters = {2, 3, 4, 4};
  paper.height = 17;  // an odd side leaves a row without a window
  paper.width = 16;
  paper.ways = 3;
  nn::ConvNetOptions released;
  released.filters = {5, 3, 3, 3};
  released.stride = 2;
  released.padding = nn::Padding::kSame;
  released.pool = nn::Pool::kNone;
  released.head = nn::Head::kMean;
  released.norm_scale = nn::NormScale::kNo;
  released.norm_epsilon = 1e-3;
  released.height = 20;  // even, even, odd, odd sides on the way: 20, 10, 5, 3
  released.width = 18;
  released.ways = 3;
  nn::ConvNetOptions omniglot;
  omniglot.filters = {3, 3, 3, 3};
  omniglot.height = omniglot.width = 16;
  omniglot.ways = 5;
  nn::ConvNetOptions miniimagenet = omniglot;
  miniimagenet.channels = 3;
  miniimagenet.height = miniimagenet.width = 21;
  return {{"paper", paper, 3},
          {"released", released, 4, LossKind::kSum},
          {"omniglot", omniglot, 5},
          {"miniimagenet", miniimagenet, 3}};
}

Instance instance(const Family& family, std::int64_t param_tasks, std::int64_t tasks, std::uint32_t seed) {
  const nn::ConvNet net(family.options);
  Instance made;
  const std::vector<Tensor> start = net.init(seed);
  for (std::size_t i = 0; i < start.size(); ++i) {
    // The initial values, moved by up to 0.3 for every task on its own.
    const Array centre(start[i]);
    Tensor p = random_tensor(start[i].shape().with(0, param_tasks), {-0.3, 0.3}, seed, static_cast<std::uint32_t>(i));
    const auto x = p.mutable_data<double>();
    for (std::size_t k = 0; k < x.size(); ++k) x[k] += centre.v[k % centre.v.size()];
    if (net.names()[i].ends_with(".scale")) x[0] = -x[0];
    made.params.push_back(std::move(p));
  }
  const nn::ConvNetOptions& o = family.options;
  made.images = random_tensor({tasks, family.images, o.height, o.width, o.channels}, {0, 1}, seed, 100);
  made.labels = random_labels({tasks, family.images}, o.ways, seed);
  return made;
}

namespace {

/// The TensorFlow manual's rule: the total is max(kernel - stride, 0) where the stride divides the side, else
/// max(kernel - side mod stride, 0); the smaller half goes before.
void tensorflow_same(std::int64_t side, std::int64_t kernel, std::int64_t stride, std::int64_t& before,
                     std::int64_t& after) {
  const std::int64_t rest = side % stride;
  const std::int64_t total = std::max<std::int64_t>(kernel - (rest == 0 ? stride : rest), 0);
  before = total / 2;
  after = total - before;
}

}  // namespace

NetOracle net_oracle(const nn::ConvNetOptions& o, const Arrays& params, const Array& images) {
  NetOracle result;
  Array a = images;
  std::size_t next = 0;
  for (std::size_t i = 0; i < o.filters.size(); ++i) {
    autograd::ConvBlockOptions block{{}, o.pool, o.norm_epsilon};
    autograd::ConvOptions& c = block.conv;
    c.stride_h = c.stride_w = o.stride;
    if (o.padding == nn::Padding::kSame) {
      tensorflow_same(a.shape[2], o.kernel, o.stride, c.pad_top, c.pad_bottom);
      tensorflow_same(a.shape[3], o.kernel, o.stride, c.pad_left, c.pad_right);
    } else {
      c.pad_top = c.pad_bottom = c.pad_left = c.pad_right = (o.kernel - 1) / 2;
    }
    const Array& weight = params[next++];
    const Array* scale = o.norm_scale == nn::NormScale::kYes ? &params[next++] : nullptr;
    BlockOracle b = block_oracle(a, weight, scale, params[next++], block);
    result.decisions.insert(result.decisions.end(), b.decisions.begin(), b.decisions.end());
    a = std::move(b.p);
  }
  const Array &weight = params[next], &bias = params[next + 1];
  const Shape s = a.shape;
  result.logits = Array(Shape{s[0], s[1], o.ways});
  const double share = o.head == nn::Head::kMean ? 1 / static_cast<double>(s[2] * s[3]) : 1;
  for (std::int64_t t = 0; t < s[0]; ++t)
    for (std::int64_t n = 0; n < s[1]; ++n)
      for (std::int64_t j = 0; j < o.ways; ++j) {
        double& y = result.logits(t, n, j);
        y = bias(task_of(bias, t), j);
        std::int64_t feature = 0;
        for (std::int64_t h = 0; h < s[2]; ++h)
          for (std::int64_t w = 0; w < s[3]; ++w)
            for (std::int64_t c = 0; c < s[4]; ++c, ++feature)
              y += share * a(t, n, h, w, c) * weight(task_of(weight, t), o.head == nn::Head::kMean ? c : feature, j);
      }
  return result;
}

std::function<Vars(const Vars&)> loss_of(const nn::ConvNet& net, const Instance& instance, LossKind kind) {
  return [&net, instance, kind](const Vars& params) {
    const auto reduction = kind == LossKind::kMean ? autograd::LossReduction::kMean : autograd::LossReduction::kSum;
    const Var images = instance.images.to(params[0].dtype());
    return Vars{
        autograd::sum_all(autograd::softmax_cross_entropy(net.logits(params, images), instance.labels, reduction))};
  };
}

}  // namespace innerloop::test
