#include "autograd/ops/head.h"

#include <cmath>

#include "autograd/op.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/loss.h"
#include "autograd/ops/matmul.h"
#include "autograd/transforms.h"
#include "cases/op_case.h"

namespace innerloop::test {
namespace {

using namespace autograd;

Tensor labels_of(const Vars& in) {
  const Shape &x = in[0].shape(), &w = in[1].shape();
  return random_labels({x[0], x[1]}, w[2], 3);
}

/// The gradient of the chain of ops that the head stands for, by a reverse walk.
Vars chain(const Vars& in, LossReduction reduction) {
  RecordScope on(true);
  Vars at;
  for (const Var& v : in) at.push_back(v.tracked() ? v : variable(v.value()));
  const Var loss = softmax_cross_entropy(linear(at[0], at[1], at[2]), labels_of(in), reduction);
  return grad(loss, at, Record::kGraph);
}

Arrays oracle(const Arrays& in, LossReduction reduction) {
  const Array &x = in[0], &w = in[1], &bias = in[2];
  const std::int64_t tasks = x.shape[0], samples = x.shape[1], features = x.shape[2], classes = w.shape[2];
  const Tensor labels = random_labels({tasks, samples}, classes, 3);
  const double weight = reduction == LossReduction::kMean ? 1 / static_cast<double>(samples) : 1;
  Array gx(x.shape), gw(w.shape), gbias(bias.shape);
  for (std::int64_t t = 0; t < tasks; ++t)
    for (std::int64_t n = 0; n < samples; ++n) {
      std::vector<double> power(static_cast<std::size_t>(classes));
      double sum = 0;
      for (std::int64_t c = 0; c < classes; ++c) {
        double z = bias.v[static_cast<std::size_t>(t * classes + c)];
        for (std::int64_t f = 0; f < features; ++f) z += x(t, n, f) * w(t, f, c);
        sum += power[static_cast<std::size_t>(c)] = std::exp(z);
      }
      const std::int64_t label = labels.data<std::int64_t>()[static_cast<std::size_t>(t * samples + n)];
      for (std::int64_t c = 0; c < classes; ++c) {
        const double d = weight * (power[static_cast<std::size_t>(c)] / sum - (c == label ? 1 : 0));
        gbias.v[static_cast<std::size_t>(t * classes + c)] += d;
        for (std::int64_t f = 0; f < features; ++f) {
          gx(t, n, f) += d * w(t, f, c);
          gw(t, f, c) += d * x(t, n, f);
        }
      }
    }
  return {gx, gw, gbias};
}

OpCase head_case(std::string name, LossReduction reduction) {
  const Range range{-1, 1};
  const auto zeros = [](const Shape& s, DType dtype) { return Var(Tensor::zeros(s, dtype)); };
  const auto bad = [=](const Shape& x, const Shape& w, const Shape& bias, DType of_w) {
    return [=] {
      head_loss(zeros(x, DType::kF32), zeros(w, of_w), zeros(bias, DType::kF32), Tensor::zeros({x[0], x[1]}, DType::kI64),
                reduction);
    };
  };
  return {.name = std::move(name),
          .f =
              [=](const Vars& in) {
                const HeadLossResult r = head_loss(in[0], in[1], in[2], labels_of(in), reduction);
                return Vars{r.gx, r.gw, r.gbias};
              },
          .oracle = [=](const Arrays& in) { return oracle(in, reduction); },
          .variants = {{{{{2, 3, 4}, range}, {{2, 4, 3}, range}, {{2, 3}, range}}},
                       {{{{1, 1, 1}, range}, {{1, 1, 2}, range}, {{1, 2}, range}}},
                       {{{{3, 5, 9}, range}, {{3, 9, 5}, range}, {{3, 5}, range}}, 1}},
          .reference = [=](const Vars& in) { return chain(in, reduction); },
          .bad_calls = {{bad({2, 3, 4}, {2, 5, 3}, {2, 3}, DType::kF32), {"head_loss", "[2, 3, 4]", "[2, 5, 3]"}},
                        {bad({2, 3, 4}, {1, 4, 3}, {2, 3}, DType::kF32), {"head_loss", "[1, 4, 3]"}},
                        {bad({2, 3, 4}, {2, 4, 3}, {2, 3}, DType::kF64), {"head_loss", "f64"}}}};
}

}  // namespace

std::vector<OpCase> head_cases() {
  return {head_case("head_loss_mean", LossReduction::kMean), head_case("head_loss_sum", LossReduction::kSum)};
}

}  // namespace innerloop::test
