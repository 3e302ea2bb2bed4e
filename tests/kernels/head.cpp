#include "kernels/head.h"

#include "tests/kernels/harness.h"

namespace innerloop::kernels {
namespace {

using namespace harness;

class Head : public ::testing::TestWithParam<DType> {};
INSTANTIATE_TEST_SUITE_P(Dtypes, Head, ::testing::Values(DType::kF32, DType::kF64),
                         [](const auto& instance) { return std::string(name_of(instance.param)); });

struct Dims {
  std::int64_t t, n, f, c;
};
/// A head of each preset's kind, sizes that fill no warp and no row of threads, more classes than threads of a row, and (the
/// last) more logits than one block takes: there the composition serves.
const Dims kDims[] = {{2, 5, 64, 5}, {1, 1, 1, 1}, {3, 7, 33, 4}, {2, 37, 19, 9}, {1, 75, 130, 20}, {2, 3, 1100, 3}, {1, 65, 9, 40}};

struct Problem {
  Dims d;
  LossReduction reduction;
  Array x, w, bias, labels, tx, tw, tbias;

  double weight() const { return reduction == LossReduction::kSum ? 1 : 1.0 / static_cast<double>(d.n); }
  Shape rows() const { return {d.t, d.n, d.c}; }
  std::size_t xi(std::int64_t t, std::int64_t n, std::int64_t f) const { return index((t * d.n + n) * d.f + f); }
  std::size_t wi(std::int64_t t, std::int64_t f, std::int64_t c) const { return index((t * d.f + f) * d.c + c); }
  std::size_t bi(std::int64_t t, std::int64_t c) const { return index(t * d.c + c); }
  std::size_t ri(std::int64_t t, std::int64_t n, std::int64_t c) const { return index((t * d.n + n) * d.c + c); }
  std::int64_t label(std::int64_t t, std::int64_t n) const { return static_cast<std::int64_t>(labels[index(t * d.n + n)]); }
  static std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }
};

Problem problem(const Dims& d, LossReduction reduction, DType dtype) {
  Problem p{d, reduction, {}, {}, {}, {}, {}, {}, {}};
  const double spread = 1 / std::sqrt(static_cast<double>(d.f));
  p.x = random_array({d.t, d.n, d.f}, dtype, 1);
  p.w = random_array({d.t, d.f, d.c}, dtype, 2, 0, spread);
  p.bias = random_array({d.t, d.c}, dtype, 3);
  p.tx = random_array({d.t, d.n, d.f}, dtype, 4);
  p.tw = random_array({d.t, d.f, d.c}, dtype, 5, 0, spread);
  p.tbias = random_array({d.t, d.c}, dtype, 6);
  std::vector<double> labels(static_cast<std::size_t>(d.t * d.n));
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<double>(i * 7 % static_cast<std::size_t>(d.c));
  p.labels = Array({d.t, d.n}, DType::kI64, labels);
  return p;
}

template <class F>
void for_each_problem(DType dtype, const F& f) {
  for (const Dims& d : kDims)
    for (const LossReduction r : {LossReduction::kMean, LossReduction::kSum}) {
      SCOPED_TRACE(fmt::format("{} tasks of {} x {} features, {} classes, {}", d.t, d.n, d.f, d.c,
                               r == LossReduction::kSum ? "sum" : "mean"));
      f(problem(d, r, dtype));
    }
}

/// Terms of a sum in one dtype before it is joined in float64, and the few roundings around it.
constexpr double kFactor = 40;

using Nums = std::vector<Num>;

Num logit(const Problem& p, const Array& x, const Array& w, std::int64_t t, std::int64_t n, std::int64_t c) {
  Num z;
  for (std::int64_t f = 0; f < p.d.f; ++f) z += Num(x[p.xi(t, n, f)]) * Num(w[p.wi(t, f, c)]);
  return z;
}

/// d as the derivatives use it, from a prob that is taken as it is.
Nums row_gradients(const Problem& p, const Array& prob) {
  Nums d(prob.size());
  for (std::int64_t t = 0; t < p.d.t; ++t)
    for (std::int64_t n = 0; n < p.d.n; ++n)
      for (std::int64_t c = 0; c < p.d.c; ++c)
        d[p.ri(t, n, c)] = Num(p.weight()) * (Num(prob[p.ri(t, n, c)]) - Num(c == p.label(t, n) ? 1.0 : 0.0));
  return d;
}

/// out += d w^T, x^T d, sum d.
void add_products(const Problem& p, const Nums& d, const Array& x, const Array& w, Nums& gx, Nums& gw) {
  for (std::int64_t t = 0; t < p.d.t; ++t)
    for (std::int64_t n = 0; n < p.d.n; ++n)
      for (std::int64_t f = 0; f < p.d.f; ++f)
        for (std::int64_t c = 0; c < p.d.c; ++c) {
          gx[p.xi(t, n, f)] += d[p.ri(t, n, c)] * Num(w[p.wi(t, f, c)]);
          gw[p.wi(t, f, c)] += d[p.ri(t, n, c)] * Num(x[p.xi(t, n, f)]);
        }
}

Nums bias_sums(const Problem& p, const Nums& d) {
  Nums g(p.bias.size());
  for (std::int64_t t = 0; t < p.d.t; ++t)
    for (std::int64_t n = 0; n < p.d.n; ++n)
      for (std::int64_t c = 0; c < p.d.c; ++c) g[p.bi(t, c)] += d[p.ri(t, n, c)];
  return g;
}

TEST_P(Head, LossAndGradient) {
  for_each_problem(GetParam(), [&](const Problem& p) {
    Array loss({p.d.t}, GetParam()), prob(p.rows(), GetParam()), gx(p.x.shape(), GetParam()), gw(p.w.shape(), GetParam()),
        gbias(p.bias.shape(), GetParam()), accuracy({p.d.t}, DType::kF64);
    run_everywhere(
        {&loss, &prob, &gx, &gw, &gbias, &accuracy},
        [&](Context& context) {
          run(HeadLoss{p.reduction, p.x.view(), p.w.view(), p.bias.view(), p.labels.view(), loss.mutable_view(),
                       prob.mutable_view(), gx.mutable_view(), gw.mutable_view(), gbias.mutable_view(),
                       accuracy.mutable_view()},
              context);
        },
        [&] {
          Nums share(prob.size()), losses(static_cast<std::size_t>(p.d.t)), hits(losses.size());
          for (std::int64_t t = 0; t < p.d.t; ++t)
            for (std::int64_t n = 0; n < p.d.n; ++n) {
              Nums z(static_cast<std::size_t>(p.d.c));
              long double sum = 0;
              double magnitude = 0;
              std::size_t best = 0;
              for (std::int64_t c = 0; c < p.d.c; ++c) {
                const auto at = static_cast<std::size_t>(c);
                z[at] = logit(p, p.x, p.w, t, n, c) + Num(p.bias[p.bi(t, c)]);
                sum += std::exp(z[at].v);
                magnitude = std::max(magnitude, z[at].m);
                if (z[at].v > z[best].v) best = at;
              }
              for (std::size_t c = 0; c < z.size(); ++c) {
                const long double q = std::exp(z[c].v) / sum;
                share[p.ri(t, n, static_cast<std::int64_t>(c))] = Num(q, static_cast<double>(q) * (1 + 2 * magnitude));
              }
              const auto label = static_cast<std::size_t>(p.label(t, n));
              losses[static_cast<std::size_t>(t)] +=
                  Num(p.weight()) * Num(std::log(sum) - z[label].v, 1 + 2 * magnitude);
              hits[static_cast<std::size_t>(t)] += Num(best == label ? 1.0 / static_cast<double>(p.d.n) : 0.0);
            }
          expect_near(prob, share, kFactor, "prob");
          expect_near(loss, losses, kFactor, "loss");
          expect_near(accuracy, hits, 4, "accuracy");
          const Nums d = row_gradients(p, prob);
          Nums x(p.x.size()), w(p.w.size());
          add_products(p, d, p.x, p.w, x, w);
          expect_near(gx, x, kFactor, "gx");
          expect_near(gw, w, kFactor, "gw");
          expect_near(gbias, bias_sums(p, d), kFactor, "gbias");
        });
  });
}

/// Which tangents are there: each alone, all, none.
struct Tangents {
  bool x, w, bias;
};

TEST_P(Head, TangentOfTheGradient) {
  for (const Tangents have : {Tangents{true, true, true}, {true, false, false}, {false, true, false}, {false, false, true},
                              {false, false, false}}) {
    SCOPED_TRACE(fmt::format("tangents of x {}, w {}, bias {}", have.x, have.w, have.bias));
    for_each_problem(GetParam(), [&](const Problem& p) {

      // Any probabilities do; these are no softmax of anything.
      std::vector<double> values(static_cast<std::size_t>(p.rows().numel()));
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = (1 + static_cast<double>(i % 5)) / (4.0 * static_cast<double>(p.d.c));
      const Array prob(p.rows(), GetParam(), values);
      Array tgx(p.x.shape(), GetParam()), tgw(p.w.shape(), GetParam()),
          tgbias(p.bias.shape(), GetParam());
      const auto given = [](bool yes, const Array& a) { return yes ? a.view() : ConstView{}; };
      run_everywhere(
          {&tgx, &tgw, &tgbias},
          [&](Context& context) {
            run(HeadLossJvp{p.reduction, p.x.view(), p.w.view(), prob.view(), p.labels.view(), given(have.x, p.tx),
                            given(have.w, p.tw), given(have.bias, p.tbias), tgx.mutable_view(), tgw.mutable_view(),
                            tgbias.mutable_view()},
                context);
          },
          [&] {
            const Nums d = row_gradients(p, prob);
            Nums td(prob.size());
            for (std::int64_t t = 0; t < p.d.t; ++t)
              for (std::int64_t n = 0; n < p.d.n; ++n) {
                Nums tz(static_cast<std::size_t>(p.d.c));
                Num along;
                for (std::int64_t c = 0; c < p.d.c; ++c) {
                  Num& z = tz[static_cast<std::size_t>(c)];
                  if (have.x) z += logit(p, p.tx, p.w, t, n, c);
                  if (have.w) z += logit(p, p.x, p.tw, t, n, c);
                  if (have.bias) z += Num(p.tbias[p.bi(t, c)]);
                  along += Num(prob[p.ri(t, n, c)]) * z;
                }
                for (std::int64_t c = 0; c < p.d.c; ++c) {
                  const Num z = tz[static_cast<std::size_t>(c)];
                  td[p.ri(t, n, c)] = Num(p.weight()) * (Num(prob[p.ri(t, n, c)]) * (z - along));
                }
              }
            Nums x(p.x.size()), w(p.w.size()), unused_x(x), unused_w(w);
            add_products(p, td, p.x, p.w, x, w);
            if (have.w) add_products(p, d, p.x, p.tw, x, unused_w);
            if (have.x) add_products(p, d, p.tx, p.w, unused_x, w);
            expect_near(tgx, x, kFactor, "tgx");
            expect_near(tgw, w, kFactor, "tgw");
            expect_near(tgbias, bias_sums(p, td), kFactor, "tgbias");
          });
    });
  }
}

TEST(Head, ALabelOutOfRangeMakesTheLossOfItsTaskANaN) {
  Problem p = problem({2, 5, 8, 3}, LossReduction::kMean, DType::kF32);
  p.labels = Array({2, 5}, DType::kI64, {0, 1, 2, 3, 0, 0, 1, 2, 1, 0});
  Array loss({2}, DType::kF32), prob(p.rows(), DType::kF32), gx(p.x.shape(), DType::kF32), gw(p.w.shape(), DType::kF32),
      gbias(p.bias.shape(), DType::kF32);
  run_everywhere(
      {&loss, &prob, &gx, &gw, &gbias},
      [&](Context& context) {
        run(HeadLoss{p.reduction, p.x.view(), p.w.view(), p.bias.view(), p.labels.view(), loss.mutable_view(),
                     prob.mutable_view(), gx.mutable_view(), gw.mutable_view(), gbias.mutable_view()},
            context);
      },
      [&] {
        EXPECT_TRUE(std::isnan(loss[0]));
        EXPECT_TRUE(std::isfinite(loss[1]));
      });
}

TEST(Head, OperandsThatDoNotFitAreNamed) {
  const Problem p = problem({2, 5, 8, 3}, LossReduction::kMean, DType::kF32);
  Context context(1, targets()[0]);
  HeadLoss k{p.reduction, p.x.view(), p.w.view(), p.bias.view(), p.labels.view(), {}, {}, {}, {}, {}};
  k.bias = p.w.view();
  try {
    run(k, context);
    FAIL() << "a bias of the weights' shape was taken";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("head_loss: bias is [2, 8, 3]"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace innerloop::kernels
