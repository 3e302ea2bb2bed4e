#include "kernels/loss.h"

#include "tests/kernels/harness.h"

namespace innerloop::kernels {
namespace {

using namespace harness;

class Loss : public ::testing::TestWithParam<DType> {};
INSTANTIATE_TEST_SUITE_P(Dtypes, Loss, ::testing::Values(DType::kF32, DType::kF64),
                         [](const auto& instance) { return std::string(name_of(instance.param)); });

struct LossDims {
  std::int64_t t, n, c;
};
const LossDims kLossDims[] = {{1, 1, 1}, {1, 5, 5}, {3, 7, 20}, {2, 75, 64},
                          {2, 0, 3}, {3, 33, 9}, {300, 1, 2}, {1, 257, 8}};

struct LossProblem {
  LossDims d;
  LossReduction reduction;
  Array logits, labels, g, tlogits, tg, prob;
  double weight() const { return reduction == LossReduction::kSum || d.n == 0 ? 1 : 1.0 / static_cast<double>(d.n); }
  Shape rows() const { return {d.t, d.n, d.c}; }
};

/// `spread` is the deviation of the logits; an offset of a thousand must not matter.
LossProblem loss_problem(const LossDims& d, LossReduction reduction, DType dtype, double spread = 2) {
  LossProblem p{d, reduction, {}, {}, {}, {}, {}, {}};
  p.logits = random_array(p.rows(), dtype, 1, 1000, spread);
  std::vector<double> labels(static_cast<std::size_t>(d.t * d.n));
  for (std::size_t i = 0; i < labels.size(); ++i)
    labels[i] = static_cast<double>(i * 7 % static_cast<std::size_t>(d.c));
  p.labels = Array({d.t, d.n}, DType::kI64, labels);
  p.g = random_array({d.t}, dtype, 2);
  p.tg = random_array({d.t}, dtype, 3);
  p.tlogits = random_array(p.rows(), dtype, 4);
  std::vector<double> prob(p.logits.size());
  for (std::size_t row = 0; row < labels.size(); ++row) {
    const auto at = [&](std::int64_t c) { return row * static_cast<std::size_t>(d.c) + static_cast<std::size_t>(c); };
    double sum = 0;
    for (std::int64_t c = 0; c < d.c; ++c) sum += std::exp(p.logits[at(c)] - 1000);
    for (std::int64_t c = 0; c < d.c; ++c) prob[at(c)] = std::exp(p.logits[at(c)] - 1000) / sum;
  }
  p.prob = Array(p.rows(), dtype, prob);
  return p;
}

template <class F>
void for_each_loss(DType dtype, const F& f) {
  for (const LossDims& d : kLossDims)
    for (const LossReduction r : {LossReduction::kMean, LossReduction::kSum}) {
      SCOPED_TRACE(Shape({d.t, d.n, d.c}).to_string() + (r == LossReduction::kSum ? " sum" : " mean"));
      f(loss_problem(d, r, dtype));
    }
}

/// exp of a difference x costs |x| epsilon (the difference itself is exact here), the rest a few roundings.
constexpr double kLossFactor = 8;

TEST_P(Loss, Forward) {
  for_each_loss(GetParam(), [&](LossProblem p) {
    Array loss({p.d.t}, GetParam()), prob(p.rows(), GetParam());
    std::vector<Num> want_loss(loss.size()), want_prob;
    for (std::size_t i = 0; i < p.prob.size(); ++i) want_prob.emplace_back(p.prob[i]);
    for (std::int64_t row = 0; row < p.d.t * p.d.n; ++row) {
      double sum = 0;
      for (std::int64_t c = 0; c < p.d.c; ++c)
        sum += std::exp(p.logits[static_cast<std::size_t>(row * p.d.c + c)] - 1000);
      const double picked = p.logits[static_cast<std::size_t>(
          row * p.d.c + static_cast<std::int64_t>(p.labels[static_cast<std::size_t>(row)]))];
      want_loss[static_cast<std::size_t>(row / p.d.n)] += Num(p.weight()) * (Num(std::log(sum)) - Num(picked - 1000));
    }
    const SoftmaxCrossEntropy k{p.reduction, p.logits.view(), p.labels.view(), loss.mutable_view(),
                                prob.mutable_view()};
    run_everywhere(
        {&loss, &prob}, [&](Context& c) { run(k, c); },
        [&] {
          expect_near(prob, want_prob, kLossFactor, "prob");
          // Both terms of a sample can be small and their parts large: a magnitude of one sample's logits joins in.
          for (Num& n : want_loss) n.m += 1;
          expect_near(loss, want_loss, kLossFactor, "loss");
        });
  });
}

TEST_P(Loss, FarLogitsStayFinite) {
  Array logits({1, 2, 3}, GetParam(), {1e4, -1e4, 0, -3e4, -3e4, -3e4});
  const Array labels({1, 2}, DType::kI64, {1, 2});
  Array loss({1}, GetParam()), prob({1, 2, 3}, GetParam());
  const SoftmaxCrossEntropy k{LossReduction::kSum, logits.view(), labels.view(), loss.mutable_view(),
                              prob.mutable_view()};
  run_everywhere(
      {&loss, &prob}, [&](Context& c) { run(k, c); },
      [&] {
        EXPECT_NEAR(loss[0], 2e4 + std::log(3.0), 2e4 * epsilon_of(GetParam()));
        EXPECT_EQ(prob[0], 1);
        EXPECT_EQ(prob[1], 0);
      });
}

TEST_P(Loss, AStrayLabelMakesItsTasksLossNaN) {
  const Array logits = random_array({4, 3, 5}, GetParam(), 1);
  const Array labels({4, 3}, DType::kI64, {0, 4, 5, 1, 2, 3, -1, 0, 0, 0, 1099511627776.0, 0});
  Array loss({4}, GetParam()), prob({4, 3, 5}, GetParam());
  const SoftmaxCrossEntropy k{LossReduction::kMean, logits.view(), labels.view(), loss.mutable_view(),
                              prob.mutable_view()};
  run_everywhere(
      {&loss, &prob}, [&](Context& c) { run(k, c); },
      [&] {
        for (std::size_t t = 0; t < 4; ++t) EXPECT_EQ(std::isnan(loss[t]), t != 1) << t;
      });
}

TEST_P(Loss, Grad) {
  for_each_loss(GetParam(), [&](const LossProblem& p) {
    Array out(p.rows(), GetParam());
    std::vector<Num> want(out.size());
    for (std::size_t i = 0; i < want.size(); ++i) {
      const std::size_t row = i / static_cast<std::size_t>(p.d.c), c = i % static_cast<std::size_t>(p.d.c);
      const Num onehot(static_cast<double>(c) == p.labels[row] ? 1 : 0);
      want[i] = Num(p.g[row / static_cast<std::size_t>(p.d.n)]) * Num(p.weight()) * (Num(p.prob[i]) - onehot);
    }
    const SoftmaxCrossEntropyGrad k{p.reduction, p.prob.view(), p.labels.view(), p.g.view(), out.mutable_view()};
    run_everywhere(
        {&out}, [&](Context& c) { run(k, c); }, [&] { expect_near(out, want, kLossFactor, "glogits"); });
  });
}

TEST_P(Loss, GradJvp) {
  for_each_loss(GetParam(), [&](const LossProblem& p) {
    for (const bool with_logits : {true, false})
      for (const bool with_g : {true, false}) {
        Array out(p.rows(), GetParam());
        std::vector<Num> want(out.size());
        const auto classes = static_cast<std::size_t>(p.d.c);
        for (std::size_t i = 0; i < want.size(); ++i) {
          const std::size_t row = i / classes, c = i % classes, t = row / static_cast<std::size_t>(p.d.n);
          const Num onehot(static_cast<double>(c) == p.labels[row] ? 1 : 0);
          Num along;
          for (std::size_t j = 0; j < classes; ++j)
            along += Num(p.prob[row * classes + j]) * Num(p.tlogits[row * classes + j]);
          if (with_logits) want[i] += Num(p.g[t]) * Num(p.weight()) * Num(p.prob[i]) * (Num(p.tlogits[i]) - along);
          if (with_g) want[i] += Num(p.tg[t]) * Num(p.weight()) * (Num(p.prob[i]) - onehot);
        }
        SoftmaxCrossEntropyGradJvp k{p.reduction, p.prob.view(),     p.labels.view(), p.g.view(), {},
                                     {},          out.mutable_view()};
        if (with_logits) k.tlogits = p.tlogits.view();
        if (with_g) k.tg = p.tg.view();
        run_everywhere(
            {&out}, [&](Context& c) { run(k, c); }, [&] { expect_near(out, want, kLossFactor, "tglogits"); });
      }
  });
}

/// The three kernels are derivatives of each other: central differences in float64, error near 1e-9 at a step of 1e-5.
TEST(LossDifferences, EachOrderFromTheOneBelow) {
  constexpr double kStep = 1e-5;
  LossProblem p = loss_problem({2, 3, 4}, LossReduction::kMean, DType::kF64);
  for (Array* a : {&p.logits}) {
    std::vector<double> v = a->values();
    for (double& x : v) x -= 1000;
    *a = Array(p.rows(), DType::kF64, v);
  }
  Context context(1, harness::one_target());
  std::vector<double> loss[2], glogits[2];
  Array prob(p.rows(), DType::kF64), out(p.rows(), DType::kF64), value({2}, DType::kF64);
  const auto evaluate = [&](double step, std::vector<double>& losses, std::vector<double>& grads) {
    std::vector<double> x = p.logits.values(), g = p.g.values();
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += step * p.tlogits[i];
    for (std::size_t i = 0; i < g.size(); ++i) g[i] += step * p.tg[i];
    const Array logits(p.rows(), DType::kF64, x), moved_g({2}, DType::kF64, g);
    run(SoftmaxCrossEntropy{p.reduction, logits.view(), p.labels.view(), value.mutable_view(), prob.mutable_view()},
        context);
    run(SoftmaxCrossEntropyGrad{p.reduction, prob.view(), p.labels.view(), moved_g.view(), out.mutable_view()},
        context);
    harness::wait_for_device();
    losses = value.values(), grads = out.values();
  };
  evaluate(-kStep, loss[0], glogits[0]);
  evaluate(kStep, loss[1], glogits[1]);
  std::vector<double> base_loss, base;
  evaluate(0, base_loss, base);
  for (std::size_t t = 0; t < 2; ++t) {
    double along = 0;  // <d loss, tlogits> = <glogits, tlogits> / g
    for (std::size_t i = t * 12; i < (t + 1) * 12; ++i) along += base[i] * p.tlogits[i] / p.g[t];
    EXPECT_NEAR(along, (loss[1][t] - loss[0][t]) / (2 * kStep), 1e-8);
  }
  run(SoftmaxCrossEntropyGradJvp{p.reduction, prob.view(), p.labels.view(), p.g.view(), p.tlogits.view(), p.tg.view(),
                                 out.mutable_view()},
      context);
  harness::wait_for_device();
  for (std::size_t i = 0; i < out.size(); ++i)
    EXPECT_NEAR(out[i], (glogits[1][i] - glogits[0][i]) / (2 * kStep), 1e-8) << i;
}

TEST_P(Loss, OneHotMarksLabelsAndShowsStrayOnes) {
  for (const LossDims& d :
       {LossDims{1, 1, 1}, LossDims{2, 3, 5}, LossDims{3, 0, 4}, LossDims{5, 33, 20}, LossDims{2, 3, 0}}) {
    SCOPED_TRACE(Shape({d.t, d.n, d.c}).to_string());
    std::vector<double> labels(static_cast<std::size_t>(d.t * d.n));
    // From -1 to C: the first and the last lie outside.
    for (std::size_t i = 0; i < labels.size(); ++i)
      labels[i] = static_cast<double>(i * 7 % static_cast<std::size_t>(d.c + 2)) - 1;
    const Array in({d.t, d.n}, DType::kI64, labels);
    Array out({d.t, d.n, d.c}, GetParam());
    run_everywhere(
        {&out},
        [&](Context& c) {
          run(OneHot{in.view(), out.mutable_view()}, c);
        },
        [&] {
          for (std::size_t i = 0; i < out.size(); ++i) {
            const double label = labels[i / static_cast<std::size_t>(d.c)];
            const double column = static_cast<double>(i % static_cast<std::size_t>(d.c));
            if (label < 0 || label >= static_cast<double>(d.c))
              ASSERT_TRUE(std::isnan(out[i])) << i;
            else
              ASSERT_EQ(out[i], column == label ? 1 : 0) << i;
          }
        });
  }
}

TEST_P(Loss, AccuracyCountsFirstLargestLogits) {
  for (const LossDims& d : {LossDims{1, 1, 1}, LossDims{3, 7, 5}, LossDims{2, 300, 20}, LossDims{40, 5, 3}}) {
    SCOPED_TRACE(Shape({d.t, d.n, d.c}).to_string());
    std::vector<double> values = random_array({d.t, d.n, d.c}, DType::kF64, 5, 0, 1.5).values();
    // Whole numbers from a small range: ties abound.
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = i % 17 == 5 ? std::nan("") : i % 19 == 3 ? -HUGE_VAL : std::round(values[i]);
    const Array logits({d.t, d.n, d.c}, GetParam(), values);
    const auto classes = static_cast<std::size_t>(d.c), samples = static_cast<std::size_t>(d.n);
    std::vector<double> labels, want(static_cast<std::size_t>(d.t));
    for (std::size_t row = 0; row < samples * want.size(); ++row) {
      std::size_t best = 0;
      for (std::size_t c = 1; c < classes; ++c)
        if (values[row * classes + c] > values[row * classes + best]) best = c;
      labels.push_back(static_cast<double>((best + (row % 3 == 0 ? 1 : 0)) % classes));
      want[row / samples] += labels.back() == static_cast<double>(best) ? 1 : 0;
    }
    const Array label({d.t, d.n}, DType::kI64, labels);
    for (const DType dtype : {DType::kF32, DType::kF64}) {
      Array out({d.t}, dtype);
      run_everywhere(
          {&out},
          [&](Context& c) {
            run(Accuracy{logits.view(), label.view(), out.mutable_view()}, c);
          },
          [&] {
            for (std::size_t t = 0; t < want.size(); ++t) {
              const double share = want[t] / static_cast<double>(d.n);
              EXPECT_EQ(out[t], dtype == DType::kF32 ? static_cast<double>(static_cast<float>(share)) : share) << t;
            }
          });
    }
  }
}

TEST_P(Loss, AccuracyOfRowsWithoutAnOrder) {
  const double nan = std::nan(""), inf = HUGE_VAL;
  // One row a task. The first largest: nothing beats a NaN in class 0, and a NaN elsewhere beats nothing.
  const Array logits({5, 1, 3}, GetParam(), {nan, 5, inf, 1, nan, 2, -inf, nan, nan, -inf, -inf, -inf, nan, nan, nan});
  const Array labels({5, 1}, DType::kI64, {0, 2, 0, 0, 0});
  Array out({5}, GetParam());
  run_everywhere(
      {&out},
      [&](Context& c) {
        run(Accuracy{logits.view(), labels.view(), out.mutable_view()}, c);
      },
      [&] {
        for (std::size_t t = 0; t < 5; ++t) EXPECT_EQ(out[t], 1) << t;
      });
}

TEST_P(Loss, AccuracyOfNoSamplesIsNaN) {
  const Array logits({2, 0, 3}, GetParam()), labels({2, 0}, DType::kI64);
  Array out({2}, GetParam(), {7, 7});
  run_everywhere(
      {&out},
      [&](Context& c) {
        run(Accuracy{logits.view(), labels.view(), out.mutable_view()}, c);
      },
      [&] { EXPECT_TRUE(std::isnan(out[0]) && std::isnan(out[1])); });
}

}  // namespace
}  // namespace innerloop::kernels
