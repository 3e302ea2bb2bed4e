// The norm-ReLU-pool family on one thread, forward to second order, in the shapes of the workloads' layers.
#include "kernels/norm.h"

#include <fmt/core.h>

#include "bench/measure.h"

namespace innerloop::bench {
namespace {

using namespace kernels;  // NOLINT: the whole family

struct Layer {
  const char* name;
  std::int64_t n, size, k;
  Pool pool = Pool::kMax2x2;
};

constexpr Layer kLayers[] = {
    {"w1/l1", 5, 28, 64},   {"w1/l2", 5, 14, 64},   {"w1/l3", 5, 7, 64},    {"w1/l4", 5, 3, 64},  {"w1q75/l1", 75, 28, 64},
    {"w2/l1", 25, 84, 32},  {"w2/l2", 25, 42, 32},  {"w2/l3", 25, 21, 32},  {"w2/l4", 25, 10, 32},
    {"w3/l1", 3, 500, 16},  {"w3/l2", 3, 250, 32},  {"w3/l3", 3, 125, 64},  {"w3/l4", 3, 62, 64},
    {"w3r/l1", 3, 250, 128, Pool::kNone}, {"w3r/l2", 3, 125, 64, Pool::kNone},
    {"w3r/l3", 3, 63, 64, Pool::kNone},   {"w3r/l4", 3, 32, 64, Pool::kNone},
};

/// All operands of the family at a layer.
struct Block {
  Pool pool;
  Tensor y, ty, gamma, beta, tgamma, tbeta, gp, tgp;
  Tensor mean, rstd, p, choice, gy, ggamma, gbeta, tp, tmean, trstd, tgy, tggamma, tgbeta;

  Block(const Layer& layer, Context& context) : pool(layer.pool) {
    const std::int64_t half = pool == Pool::kNone ? layer.size : layer.size / 2;
    const Shape y_shape{1, layer.n, layer.size, layer.size, layer.k}, p_shape{1, layer.n, half, half, layer.k},
        channels{1, layer.k};
    y = random_tensor(y_shape, 1), ty = random_tensor(y_shape, 2);
    gamma = random_tensor(channels, 3), beta = random_tensor(channels, 4);
    tgamma = random_tensor(channels, 5), tbeta = random_tensor(channels, 6);
    gp = random_tensor(p_shape, 7), tgp = random_tensor(p_shape, 8);
    for (Tensor* t : {&mean, &rstd, &ggamma, &gbeta, &tmean, &trstd, &tggamma, &tgbeta})
      *t = Tensor::empty(channels, DType::kF32);
    for (Tensor* t : {&p, &tp}) *t = Tensor::empty(p_shape, DType::kF32);
    for (Tensor* t : {&gy, &tgy}) *t = Tensor::empty(y_shape, DType::kF32);
    choice = Tensor::empty(p_shape, DType::kU8);
    run(forward(), context);  // what the others take
    run(grad(), context);
    run(jvp(), context);
  }

  NormReluPoolForward forward() {
    NormReluPoolForward k;
    k.pool = pool;
    k.y = y.view(), k.gamma = gamma.view(), k.beta = beta.view();
    k.mean = mean.mutable_view(), k.rstd = rstd.mutable_view(), k.p = p.mutable_view(),
    k.choice = choice.mutable_view();
    return k;
  }
  NormReluPoolGrad grad() {
    NormReluPoolGrad k;
    k.pool = pool;
    k.y = y.view(), k.mean = mean.view(), k.rstd = rstd.view(), k.gamma = gamma.view();
    k.choice = choice.view(), k.gp = gp.view();
    k.gy = gy.mutable_view(), k.ggamma = ggamma.mutable_view(), k.gbeta = gbeta.mutable_view();
    return k;
  }
  NormReluPoolJvp jvp() {
    NormReluPoolJvp k;
    k.pool = pool;
    k.y = y.view(), k.mean = mean.view(), k.rstd = rstd.view(), k.gamma = gamma.view(), k.choice = choice.view();
    k.ty = ty.view(), k.tgamma = tgamma.view(), k.tbeta = tbeta.view();
    k.tp = tp.mutable_view(), k.tmean = tmean.mutable_view(), k.trstd = trstd.mutable_view();
    return k;
  }
  NormReluPoolGradJvp grad_jvp() {
    NormReluPoolGradJvp k;
    k.pool = pool;
    k.y = y.view(), k.mean = mean.view(), k.rstd = rstd.view(), k.gamma = gamma.view();
    k.choice = choice.view(), k.gp = gp.view(), k.ggamma = ggamma.view(), k.gbeta = gbeta.view();
    k.ty = ty.view(), k.tmean = tmean.view(), k.trstd = trstd.view(), k.tgamma = tgamma.view(), k.tgp = tgp.view();
    k.gy = gy.mutable_view(), k.tgy = tgy.mutable_view();
    k.tggamma = tggamma.mutable_view(), k.tgbeta = tgbeta.mutable_view();
    return k;
  }
};

template <class Kernel>
void add_kernel(const char* name, Kernel (Block::*call)()) {
  for (const Layer& layer : kLayers) {
    add(fmt::format("{}/{}", layer.name, name), [=](benchmark::State& state, Context& context) {
      Block block(layer, context);
      measure(state, context, (block.*call)());
    });
  }
}

[[maybe_unused]] const bool registered = [] {
  add_kernel("forward", &Block::forward);
  add_kernel("grad", &Block::grad);
  add_kernel("jvp", &Block::jvp);
  add_kernel("grad_jvp", &Block::grad_jvp);
  return true;
}();

}  // namespace
}  // namespace innerloop::bench
