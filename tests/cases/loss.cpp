#include "autograd/ops/loss.h"

#include <cmath>
#include <functional>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "cases/op_case.h"
#include "tensor/device.h"

namespace innerloop::test {
namespace {

using namespace autograd;

Tensor labels_of(const Shape& logits) { return random_labels({logits[0], logits[1]}, logits[2], 3); }

/// log sum_c exp(x[t, n, c]).
double log_sum_exp(const Array& x, std::int64_t t, std::int64_t n) {
  double total = 0;
  for (std::int64_t c = 0; c < x.shape[2]; ++c) total += std::exp(x(t, n, c));
  return std::log(total);
}

/// The cross-entropy from the definition, in plain ops and without a shift: -log(exp(x_label) / sum exp(x)).
Var plain_cross_entropy(const Var& logits, LossReduction reduction) {
  const Shape& s = logits.shape();
  const Tensor labels = labels_of(s);
  Tensor picked = Tensor::zeros(s, logits.dtype());
  const auto mark = [&](auto values) {
    for (std::int64_t i = 0; i < s[0] * s[1]; ++i)
      values[static_cast<std::size_t>(i * s[2] + labels.data<std::int64_t>()[static_cast<std::size_t>(i)])] = 1;
  };
  if (logits.dtype() == DType::kF32)
    mark(picked.mutable_data<float>());
  else
    mark(picked.mutable_data<double>());
  const Var e = autograd::exp(logits);
  const Var share = sum(e * Var(picked), {2}) / sum(e, {2});
  const Var loss = reshape(sum(negate(autograd::log(share)), {1}), {s[0]});
  return reduction == LossReduction::kMean ? scale(loss, 1.0 / static_cast<double>(s[1])) : loss;
}

std::vector<BadCall> bad_labels(LossReduction reduction) {
  const auto with = [reduction](const std::function<Tensor()>& labels) {
    return [=] { softmax_cross_entropy(Var(Tensor::zeros({1, 2, 3}, DType::kF32)), labels(), reduction); };
  };
  std::vector<BadCall> calls = {
      {with([] { return Tensor::zeros({1, 3}, DType::kI64); }), {"softmax_cross_entropy", "[1, 2, 3]", "[1, 3]"}},
      {with([] { return Tensor::zeros({1, 2}, DType::kI32); }), {"softmax_cross_entropy", "i32"}}};
  // On a device nobody waits for the labels to be looked at: there the loss becomes a NaN.
  if (!has_device_engine())
    calls.push_back({with([] { return Tensor::full({1, 2}, DType::kI64, 3); }),
                     {"softmax_cross_entropy", "label 3", "[0, 3)"}});
  return calls;
}

OpCase cross_entropy_case(std::string name, LossReduction reduction) {
  const Range range{-2, 2};
  return {.name = std::move(name),
          .f = [=](const Vars& x) { return Vars{softmax_cross_entropy(x[0], labels_of(x[0].shape()), reduction)}; },
          .oracle =
              [=](const Arrays& in) {
                const Array& x = in[0];
                const Tensor labels = labels_of(x.shape);
                Array loss(Shape{x.shape[0]});
                for (std::int64_t t = 0; t < x.shape[0]; ++t)
                  for (std::int64_t n = 0; n < x.shape[1]; ++n) {
                    const std::int64_t label =
                        labels.data<std::int64_t>()[static_cast<std::size_t>(t * x.shape[1] + n)];
                    const double share = reduction == LossReduction::kMean ? 1 / static_cast<double>(x.shape[1]) : 1;
                    loss(t) += share * (log_sum_exp(x, t, n) - x(t, n, label));
                  }
                return Arrays{loss};
              },
          .variants = {{{{{3, 4, 5}, range}}},
                       {{{{1, 1, 2}, range}}},
                       {{{{1, 3, 1}, range}}},
                       {{{{2, 5, 3}, range}}},
                       {{{{3, 25, 20}, range}}, 1}},
          .reference = [=](const Vars& x) { return Vars{plain_cross_entropy(x[0], reduction)}; },
          .bad_calls = bad_labels(reduction)};
}

}  // namespace

std::vector<OpCase> loss_cases() {
  return {cross_entropy_case("softmax_cross_entropy_mean", LossReduction::kMean),
          cross_entropy_case("softmax_cross_entropy_sum", LossReduction::kSum),
          {.name = "softmax",
           .f = [](const Vars& x) { return Vars{softmax(x[0])}; },
           .oracle =
               [](const Arrays& in) {
                 Array y = in[0];
                 for (std::int64_t t = 0; t < y.shape[0]; ++t)
                   for (std::int64_t n = 0; n < y.shape[1]; ++n)
                     for (std::int64_t c = 0; c < y.shape[2]; ++c)
                       y(t, n, c) = std::exp(in[0](t, n, c) - log_sum_exp(in[0], t, n));
                 return Arrays{y};
               },
           .variants = {{{{{3, 4, 5}, {-2, 2}}}}, {{{{1, 1, 1}, {-2, 2}}}}, {{{{2, 3, 33}, {-2, 2}}}, 1}},
           .bad_calls = {{[] { softmax(Var(Tensor::zeros({}, DType::kF32))); }, {"softmax", "[]"}},
                         {[] {
                            softmax(Var(Tensor::zeros({2, 3}, DType::kI64)));
                          },
                          {"softmax", "[2, 3]", "i64"}}}}};
}

}  // namespace innerloop::test
