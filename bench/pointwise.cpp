// Memory-bound kernels around the convolutions, and the matrix products of a linear head, in one thread. Bytes are
// those of the contracts: operands read once, outputs written once.
#include <benchmark/benchmark.h>

#include <random>

#include "kernels/elementwise.h"
#include "kernels/matmul.h"
#include "kernels/reduce.h"
#include "kernels/update.h"
#include "tensor/tensor.h"

namespace innerloop::kernels {
namespace {

Tensor random_tensor(const Shape& shape, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(0.5F, 1.5F);
  Tensor t = Tensor::empty(shape, DType::kF32);
  for (float& v : t.mutable_data<float>()) v = uniform(generator);
  return t;
}

template <class Kernel>
void measure(benchmark::State& state, const Kernel& kernel, double bytes) {
  Context context(1);
  for (auto _ : state) run(kernel, context);
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes * static_cast<double>(state.iterations())));
}

double bytes_of(const Tensor& t) { return static_cast<double>(t.bytes()); }

void add(benchmark::State& state) {
  const Shape shape{5, 28, 28, 64};
  const Tensor a = random_tensor(shape, 1), b = random_tensor(shape, 2);
  Tensor y = Tensor::empty(shape, DType::kF32);
  measure(state, Binary{BinaryFn::kAdd, a.view(), b.view(), y.mutable_view()}, 3 * bytes_of(y));
}
BENCHMARK(add)->Unit(benchmark::kMicrosecond);

void multiply_channels(benchmark::State& state) {
  const Shape shape{5, 28, 28, state.range(0)};
  const Tensor a = random_tensor(shape, 1), b = random_tensor({state.range(0)}, 2);
  Tensor y = Tensor::empty(shape, DType::kF32);
  measure(state, Binary{BinaryFn::kMultiply, a.view(), b.view(), y.mutable_view()}, 2 * bytes_of(y));
}
BENCHMARK(multiply_channels)->Arg(64)->Arg(16)->Arg(5)->Unit(benchmark::kMicrosecond);

void unary(benchmark::State& state) {
  const Tensor x = random_tensor({5, 28, 28, 64}, 1);
  Tensor y = Tensor::empty(x.shape(), DType::kF32);
  measure(state, Unary{static_cast<UnaryFn>(state.range(0)), x.view(), y.mutable_view()}, 2 * bytes_of(y));
}
BENCHMARK(unary)
    ->Arg(static_cast<int>(UnaryFn::kRelu))
    ->Arg(static_cast<int>(UnaryFn::kRsqrt))
    ->Arg(static_cast<int>(UnaryFn::kExp))
    ->Unit(benchmark::kMicrosecond);

void sum(benchmark::State& state, const Shape& from, const Shape& to) {
  const Tensor x = random_tensor(from, 1);
  Tensor y = Tensor::empty(to, DType::kF32);
  measure(state, ReduceSum{x.view(), y.mutable_view()}, bytes_of(x) + bytes_of(y));
}
BENCHMARK_CAPTURE(sum, to_channels, {1, 3920, 64}, {1, 1, 64})->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(sum, to_rows, {1, 3920, 64}, {1, 3920, 1})->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(sum, all, {1, 3920, 64}, {1, 1, 1})->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(sum, over_tasks, {32, 36864}, {1, 36864})->Unit(benchmark::kMicrosecond);

void sgd(benchmark::State& state) {
  const Tensor theta = random_tensor({111936}, 1), grad = random_tensor({111936}, 2);
  Tensor out = Tensor::empty(theta.shape(), DType::kF32);
  measure(state, Sgd{0.4, theta.view(), grad.view(), out.mutable_view()}, 3 * bytes_of(out));
}
BENCHMARK(sgd)->Unit(benchmark::kMicrosecond);

void adam(benchmark::State& state) {
  const Tensor grad = random_tensor({111936}, 1);
  Tensor theta = random_tensor({111936}, 2), m = random_tensor({111936}, 3), v = random_tensor({111936}, 4);
  Adam k;
  k.rate = 1e-3;
  k.grad = grad.view(), k.theta = theta.mutable_view(), k.m = m.mutable_view(), k.v = v.mutable_view();
  measure(state, k, 7 * bytes_of(grad));
}
BENCHMARK(adam)->Unit(benchmark::kMicrosecond);

/// The head's three products: arguments are images, features, ways; "flops" counts two a multiply-add.
void head(benchmark::State& state, Transpose transpose_a, Transpose transpose_b) {
  const std::int64_t images = state.range(0), features = state.range(1), ways = state.range(2);
  // Forward x w: [n,f] [f,k]; input gradient gy w': [n,k] [f,k]'; weight gradient x' gy: [n,f]' [n,k].
  const bool weight_grad = transpose_a == Transpose::kYes, input_grad = transpose_b == Transpose::kYes;
  const Tensor a = random_tensor(input_grad ? Shape{1, images, ways} : Shape{1, images, features}, 1);
  const Tensor b = random_tensor(weight_grad ? Shape{1, images, ways} : Shape{1, features, ways}, 2);
  Tensor out = Tensor::empty(input_grad    ? Shape{1, images, features}
                             : weight_grad ? Shape{1, features, ways}
                                           : Shape{1, images, ways},
                             DType::kF32);
  Matmul k;
  k.transpose_a = transpose_a, k.transpose_b = transpose_b;
  k.a[0] = a.view(), k.b[0] = b.view(), k.out = out.mutable_view();
  measure(state, k, bytes_of(a) + bytes_of(b) + bytes_of(out));
  state.counters["flops"] =
      benchmark::Counter(2.0 * static_cast<double>(images * features * ways) * static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate);
}
void head_shapes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"images", "features", "ways"})->Unit(benchmark::kMicrosecond);
  b->Args({5, 64, 5})->Args({75, 800, 5})->Args({25, 800, 64})->Args({3, 61504, 3});
}
BENCHMARK_CAPTURE(head, forward, Transpose::kNo, Transpose::kNo)->Apply(head_shapes);
BENCHMARK_CAPTURE(head, input_grad, Transpose::kNo, Transpose::kYes)->Apply(head_shapes);
BENCHMARK_CAPTURE(head, weight_grad, Transpose::kYes, Transpose::kNo)->Apply(head_shapes);

}  // namespace
}  // namespace innerloop::kernels
