// The kernels around the convolutions on one thread: elementwise, sums, updates, loss, and the products of a linear head, in the
// shapes of the workloads.
#include <fmt/core.h>

#include "bench/measure.h"
#include "kernels/elementwise.h"
#include "kernels/loss.h"
#include "kernels/matmul.h"
#include "kernels/reduce.h"
#include "kernels/update.h"

namespace innerloop::bench {
namespace {

using namespace kernels;  // NOLINT: all of them

struct Head {
  const char* name;
  std::int64_t images, features, ways;
};
constexpr Head kHeads[] = {{"w1", 5, 64, 5}, {"w2", 25, 800, 5}, {"w3", 3, 61504, 3}, {"w3r", 3, 64, 3}};

struct Parameters {
  const char* name;
  std::int64_t count;
};
constexpr Parameters kParameters[] = {{"w1", 111'936}, {"w2", 32'773}, {"w3", 244'915}};

void add_elementwise() {
  const Shape map{5, 28, 28, 64};
  add("add", [=](benchmark::State& state, Context& context) {
    const Tensor a = random_tensor(map, 1), b = random_tensor(map, 2);
    Tensor y = Tensor::empty(map, DType::kF32);
    measure(state, context, Binary{BinaryFn::kAdd, a.view(), b.view(), y.mutable_view()});
  });
  for (const std::int64_t channels : {64, 16, 5}) {
    add(fmt::format("multiply_channels/{}", channels), [=](benchmark::State& state, Context& context) {
      const Shape shape{5, 28, 28, channels};
      const Tensor a = random_tensor(shape, 1), b = random_tensor({channels}, 2);
      Tensor y = Tensor::empty(shape, DType::kF32);
      measure(state, context, Binary{BinaryFn::kMultiply, a.view(), b.view(), y.mutable_view()});
    });
  }
  constexpr struct {
    const char* name;
    UnaryFn function;
  } kFunctions[] = {{"relu", UnaryFn::kRelu}, {"exp", UnaryFn::kExp}};
  for (const auto& f : kFunctions) {
    add(f.name, [=](benchmark::State& state, Context& context) {
      const Tensor x = random_tensor(map, 1);
      Tensor y = Tensor::empty(map, DType::kF32);
      measure(state, context, Unary{f.function, x.view(), y.mutable_view()});
    });
  }
}

void add_sums() {
  struct Sum {
    const char* name;
    Shape from, to;
  };
  const Sum sums[] = {{"to_channels", {1, 3920, 64}, {1, 1, 64}},
                      {"to_rows", {1, 3920, 64}, {1, 3920, 1}},
                      {"all", {1, 3920, 64}, {1, 1, 1}},
                      {"over_tasks", {32, 36864}, {1, 36864}}};
  for (const Sum& sum : sums) {
    add(fmt::format("sum/{}", sum.name), [=](benchmark::State& state, Context& context) {
      const Tensor x = random_tensor(sum.from, 1);
      Tensor y = Tensor::empty(sum.to, DType::kF32);
      measure(state, context, ReduceSum{x.view(), y.mutable_view()});
    });
  }
}

void add_updates() {
  for (const Parameters& p : kParameters) {
    add(fmt::format("sgd/{}", p.name), [=](benchmark::State& state, Context& context) {
      const Tensor theta = random_tensor({p.count}, 1), grad = random_tensor({p.count}, 2);
      Tensor out = Tensor::empty(theta.shape(), DType::kF32);
      measure(state, context, Sgd{0.4, theta.view(), grad.view(), out.mutable_view()});
    });
    add(fmt::format("adam/{}", p.name), [=](benchmark::State& state, Context& context) {
      const Tensor grad = random_tensor({p.count}, 1);
      Tensor theta = random_tensor({p.count}, 2), m = Tensor::zeros({p.count}, DType::kF32),
             v = Tensor::zeros({p.count}, DType::kF32);
      Adam k;
      k.rate = 1e-3;
      k.grad = grad.view(), k.theta = theta.mutable_view(), k.m = m.mutable_view(), k.v = v.mutable_view();
      measure(state, context, k);
    });
  }
}

/// Forward x w: [n,f] [f,k]; input gradient gy w': [n,k] [f,k]'; weight gradient x' gy: [n,f]' [n,k].
void run_head(benchmark::State& state, Context& context, const Head& h, Transpose transpose_a, Transpose transpose_b) {
  const bool weight_grad = transpose_a == Transpose::kYes, input_grad = transpose_b == Transpose::kYes;
  const Tensor a = random_tensor(input_grad ? Shape{1, h.images, h.ways} : Shape{1, h.images, h.features}, 1);
  const Tensor b = random_tensor(weight_grad ? Shape{1, h.images, h.ways} : Shape{1, h.features, h.ways}, 2);
  Tensor out = Tensor::empty(input_grad    ? Shape{1, h.images, h.features}
                             : weight_grad ? Shape{1, h.features, h.ways}
                                           : Shape{1, h.images, h.ways},
                             DType::kF32);
  Matmul k;
  k.transpose_a = transpose_a, k.transpose_b = transpose_b;
  k.a[0] = a.view(), k.b[0] = b.view(), k.out = out.mutable_view();
  measure(state, context, k);
}

void add_heads() {
  for (const Head& h : kHeads) {
    const auto product = [&](const char* name, Transpose a, Transpose b) {
      add(fmt::format("head/{}/{}", h.name, name),
          [=](benchmark::State& state, Context& context) { run_head(state, context, h, a, b); });
    };
    product("forward", Transpose::kNo, Transpose::kNo);
    product("input_grad", Transpose::kNo, Transpose::kYes);
    product("weight_grad", Transpose::kYes, Transpose::kNo);
    add(fmt::format("cross_entropy/{}", h.name), [=](benchmark::State& state, Context& context) {
      const Tensor logits = random_tensor({1, h.images, h.ways}, 1);
      const Tensor labels = Tensor::zeros({1, h.images}, DType::kI64);
      Tensor loss = Tensor::empty({1}, DType::kF32), prob = Tensor::empty(logits.shape(), DType::kF32);
      SoftmaxCrossEntropy k;
      k.logits = logits.view(), k.labels = labels.view(), k.loss = loss.mutable_view(), k.prob = prob.mutable_view();
      measure(state, context, k);
    });
  }
}

[[maybe_unused]] const bool registered = (add_elementwise(), add_sums(), add_updates(), add_heads(), true);

}  // namespace
}  // namespace innerloop::bench
