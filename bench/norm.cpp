// The norm-ReLU-pool family, forward to second order, one task a call in one thread. Bytes are those of the contract in
// kernels/norm.h: what an ideal implementation would move.
#include "kernels/norm.h"

#include <benchmark/benchmark.h>

#include <random>
#include <vector>

#include "tensor/tensor.h"

namespace innerloop::kernels {
namespace {

Tensor random_tensor(const Shape& shape, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  Tensor t = Tensor::empty(shape, DType::kF32);
  for (float& v : t.mutable_data<float>()) v = normal(generator);
  return t;
}

/// All operands of the family at y = [1, N, H, W, K] = the benchmark's arguments.
struct Block {
  Context context{1};
  Shape y_shape, p_shape, channels;
  Tensor y, ty, gamma, beta, tgamma, tbeta, gp, tgp;
  Tensor mean, rstd, p, choice, gy, ggamma, gbeta, tp, tmean, trstd, tgy, tggamma, tgbeta;

  explicit Block(const benchmark::State& state)
      : y_shape{1, state.range(0), state.range(1), state.range(1), state.range(2)},
        p_shape{1, state.range(0), state.range(1) / 2, state.range(1) / 2, state.range(2)},
        channels{1, state.range(2)} {
    y = random_tensor(y_shape, 1), ty = random_tensor(y_shape, 2);
    gamma = random_tensor(channels, 3), beta = random_tensor(channels, 4);
    tgamma = random_tensor(channels, 5), tbeta = random_tensor(channels, 6);
    gp = random_tensor(p_shape, 7), tgp = random_tensor(p_shape, 8);
    for (Tensor* t : {&mean, &rstd, &ggamma, &gbeta, &tmean, &trstd, &tggamma, &tgbeta})
      *t = Tensor::empty(channels, DType::kF32);
    for (Tensor* t : {&p, &tp}) *t = Tensor::empty(p_shape, DType::kF32);
    for (Tensor* t : {&gy, &tgy}) *t = Tensor::empty(y_shape, DType::kF32);
    choice = Tensor::empty(p_shape, DType::kU8);
    run(forward(), context);
    run(grad(), context);
    run(jvp(), context);
  }

  NormReluPoolForward forward() {
    NormReluPoolForward k;
    k.y = y.view(), k.gamma = gamma.view(), k.beta = beta.view();
    k.mean = mean.mutable_view(), k.rstd = rstd.mutable_view(), k.p = p.mutable_view(),
    k.choice = choice.mutable_view();
    return k;
  }
  NormReluPoolGrad grad() {
    NormReluPoolGrad k;
    k.y = y.view(), k.mean = mean.view(), k.rstd = rstd.view(), k.gamma = gamma.view();
    k.choice = choice.view(), k.gp = gp.view();
    k.gy = gy.mutable_view(), k.ggamma = ggamma.mutable_view(), k.gbeta = gbeta.mutable_view();
    return k;
  }
  NormReluPoolJvp jvp() {
    NormReluPoolJvp k;
    k.y = y.view(), k.mean = mean.view(), k.rstd = rstd.view(), k.gamma = gamma.view(), k.choice = choice.view();
    k.ty = ty.view(), k.tgamma = tgamma.view(), k.tbeta = tbeta.view();
    k.tp = tp.mutable_view(), k.tmean = tmean.mutable_view(), k.trstd = trstd.mutable_view();
    return k;
  }
  NormReluPoolGradJvp grad_jvp() {
    NormReluPoolGradJvp k;
    k.y = y.view(), k.mean = mean.view(), k.rstd = rstd.view(), k.gamma = gamma.view();
    k.choice = choice.view(), k.gp = gp.view(), k.ggamma = ggamma.view(), k.gbeta = gbeta.view();
    k.ty = ty.view(), k.tmean = tmean.view(), k.trstd = trstd.view(), k.tgamma = tgamma.view(), k.tgp = tgp.view();
    k.gy = gy.mutable_view(), k.tgy = tgy.mutable_view();
    k.tggamma = tggamma.mutable_view(), k.tgbeta = tgbeta.mutable_view();
    return k;
  }
};

template <class Kernel>
void measure(benchmark::State& state, Kernel (Block::*call)(), double y_passes, double p_passes) {
  Block block(state);
  const Kernel kernel = (block.*call)();
  for (auto _ : state) run(kernel, block.context);
  const double bytes = y_passes * static_cast<double>(block.y.bytes()) +
                       p_passes * static_cast<double>(block.p.bytes()) + static_cast<double>(block.choice.bytes());
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes * static_cast<double>(state.iterations())));
}

void forward(benchmark::State& state) { measure(state, &Block::forward, 2, 1); }
void grad(benchmark::State& state) { measure(state, &Block::grad, 3, 2); }
void jvp(benchmark::State& state) { measure(state, &Block::jvp, 4, 1); }
void grad_jvp(benchmark::State& state) { measure(state, &Block::grad_jvp, 6, 4); }

void shapes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"N", "H", "K"})->Unit(benchmark::kMicrosecond);
  for (const auto& s : std::vector<std::vector<std::int64_t>>{
           {5, 28, 64}, {5, 14, 64}, {5, 7, 64}, {5, 3, 64}, {75, 28, 64}, {25, 84, 32}, {3, 500, 16}, {3, 250, 32}})
    b->Args(s);
}

BENCHMARK(forward)->Apply(shapes);
BENCHMARK(grad)->Apply(shapes);
BENCHMARK(jvp)->Apply(shapes);
BENCHMARK(grad_jvp)->Apply(shapes);

}  // namespace
}  // namespace innerloop::kernels
