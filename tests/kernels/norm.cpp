#include "kernels/norm.h"

#include <type_traits>

#include "tests/kernels/norm_oracle.h"

namespace innerloop::kernels {
namespace {

using namespace harness;

enum class Scale { kAbsent, kShared, kPerTask };

struct NormCase {
  NormDims d;
  Scale scale = Scale::kPerTask;
  double offset = 0;  ///< mean of y
};

std::vector<NormCase> norm_cases() {
  const Pool pool = Pool::kMax2x2, none = Pool::kNone;
  return {
      {{1, 2, 5, 7, 3, pool}},
      {{3, 2, 4, 4, 17, pool}, Scale::kShared},
      {{1, 3, 3, 3, 64, pool}},
      {{1, 1, 1, 1, 1, none}},
      {{2, 5, 1, 1, 70, none}, Scale::kShared},
      {{2, 2, 2, 2, 70, pool}, Scale::kAbsent},
      {{1, 2, 5, 7, 1, pool}, Scale::kPerTask, 3},
      {{3, 3, 5, 3, 16, none}},
      {{1, 5, 14, 14, 16, pool}, Scale::kAbsent, -20},
      {{1, 4, 28, 28, 64, pool}, Scale::kPerTask, 1},  // several chunks of work
      {{1, 2, 5, 301, 17, pool}},                      // long rows, odd both ways
      // Past 4096 pixels a device takes several blocks a task: whole vectors of channels, single ones, no windows.
      {{2, 1, 67, 64, 20, pool}, Scale::kPerTask, 2},
      {{1, 3, 31, 47, 9, pool}, Scale::kShared, -1},
      {{1, 1, 4099, 1, 40, none}, Scale::kAbsent, 5},
      {{1, 1, 1, 4100, 2, pool}},  // rows of no window
  };
}

/// Error bound of the norm kernels, in epsilon times magnitude: the sums' float32 partials of at most a few dozen terms
/// a lane (random signs: a few epsilon), a handful of roundings in the affine maps, and the rounding of the constants.
constexpr double kNormFactor = 8;

Array scale_of(const NormCase& c, DType dtype, unsigned seed) {
  if (c.scale == Scale::kAbsent) return {};
  return random_array({c.scale == Scale::kShared ? 1 : c.d.t, c.d.k}, dtype, seed, 0.5, 1);  // of both signs
}

/// Runs a kernel whose outputs the host reads next.
template <class K>
void run_now(const K& kernel, Context& context) {
  run(kernel, context);
  wait_for_device();
}

NormReluPoolForward forward_call(NormPrimal& in, Array& p, double epsilon = 1e-5) {
  NormReluPoolForward k;
  k.pool = in.d.pool;
  k.epsilon = epsilon;
  k.y = in.y.view();
  k.gamma = in.gamma.view();
  k.beta = in.beta.view();
  k.mean = in.mean.mutable_view();
  k.rstd = in.rstd.mutable_view();
  k.p = p.mutable_view();
  k.choice = in.choice.mutable_view();
  return k;
}

NormPrimal primal(const NormCase& c, DType dtype) {
  const NormDims& d = c.d;
  NormPrimal in{d,
                random_array(d.y(), dtype, 1, c.offset, 1.5),
                scale_of(c, dtype, 2),
                random_array({c.scale == Scale::kShared ? 1 : d.t, d.k}, dtype, 3, 0.2, 0.5),
                Array(d.channels(), dtype),
                Array(d.channels(), dtype),
                Array(d.p(), DType::kU8),
                random_array(d.p(), dtype, 4)};
  Array p(d.p(), dtype);
  Context context(1, harness::one_target());
  run_now(forward_call(in, p), context);
  return in;
}

NormReluPoolGrad grad_call(const NormPrimal& in, Array& gy, Array& ggamma, Array& gbeta) {
  NormReluPoolGrad k;
  k.pool = in.d.pool;
  k.y = in.y.view(), k.mean = in.mean.view(), k.rstd = in.rstd.view(), k.gamma = in.gamma.view();
  k.choice = in.choice.view(), k.gp = in.gp.view();
  k.gy = gy.mutable_view(), k.ggamma = ggamma.mutable_view(), k.gbeta = gbeta.mutable_view();
  return k;
}

NormReluPoolJvp jvp_call(const NormPrimal& in, const NormTangent& tan, Array& tp, Array& tmean, Array& trstd) {
  NormReluPoolJvp k;
  k.pool = in.d.pool;
  k.y = in.y.view(), k.mean = in.mean.view(), k.rstd = in.rstd.view(), k.gamma = in.gamma.view();
  k.choice = in.choice.view();
  k.ty = tan.ty.view(), k.tgamma = tan.tgamma.view(), k.tbeta = tan.tbeta.view();
  k.tp = tp.mutable_view(), k.tmean = tmean.mutable_view(), k.trstd = trstd.mutable_view();
  return k;
}

NormReluPoolGradJvp grad_jvp_call(const NormPrimal& in, const Array& ggamma, const Array& gbeta, const NormTangent& tan,
                                  Array& gy, Array& tgy, Array& tggamma, Array& tgbeta) {
  NormReluPoolGradJvp k;
  k.pool = in.d.pool;
  k.y = in.y.view(), k.mean = in.mean.view(), k.rstd = in.rstd.view(), k.gamma = in.gamma.view();
  k.choice = in.choice.view(), k.gp = in.gp.view(), k.ggamma = ggamma.view(), k.gbeta = gbeta.view();
  k.ty = tan.ty.view(), k.tmean = tan.tmean.view(), k.trstd = tan.trstd.view(), k.tgamma = tan.tgamma.view();
  k.tgp = tan.tgp.view();
  k.gy = gy.mutable_view(), k.tgy = tgy.mutable_view();
  k.tggamma = tggamma.mutable_view(), k.tgbeta = tgbeta.mutable_view();
  return k;
}

NormTangent tangent(const NormPrimal& in, DType dtype) {
  const NormDims& d = in.d;
  NormTangent tan;
  tan.ty = random_array(d.y(), dtype, 11, 0.3);
  tan.tmean = random_array(d.channels(), dtype, 12, 0.3, 0.1);
  tan.trstd = random_array(d.channels(), dtype, 13, 0, 0.3);
  if (in.gamma) tan.tgamma = random_array(in.gamma.shape(), dtype, 14);
  tan.tbeta = random_array(in.beta.shape(), dtype, 15);
  tan.tgp = random_array(d.p(), dtype, 16);
  return tan;
}

class Norm : public ::testing::TestWithParam<DType> {};
INSTANTIATE_TEST_SUITE_P(Dtypes, Norm, ::testing::Values(DType::kF32, DType::kF64),
                         [](const auto& instance) { return std::string(name_of(instance.param)); });

/// p against z at the kernel's own statistics, and each decision against what z allows within its rounding error.
void expect_pooled(const NormPrimal& in, const Array& p) {
  const double epsilon = epsilon_of(in.y.dtype());
  for (std::int64_t t = 0; t < in.d.t; ++t)
    for (std::int64_t c = 0; c < in.d.k; ++c)
      in.d.windows(t, c, [&](std::size_t q, const std::vector<std::size_t>& window) {
        Num best(-std::numeric_limits<double>::infinity());
        double slack = 0;
        for (const std::size_t i : window) {
          const Num z = in.z(t, c, i);
          slack = std::max(slack, kNormFactor * epsilon * z.m);
          if (z.v > best.v) best = z;
        }
        const double choice = in.choice[q];
        const auto best_value = static_cast<double>(best.v);
        if (choice == kDead) {
          ASSERT_LE(best_value, slack);
          ASSERT_EQ(p[q], 0);
        } else {
          ASSERT_LT(choice, static_cast<double>(window.size()));
          ASSERT_GE(in.z(t, c, window[static_cast<std::size_t>(choice)]).v, best_value - slack);
          ASSERT_NEAR(p[q], best_value, slack);
          ASSERT_GT(p[q], 0);
        }
      });
}

TEST_P(Norm, Forward) {
  for (const NormCase& c : norm_cases()) {
    SCOPED_TRACE(c.d.y().to_string());
    NormPrimal in = primal(c, GetParam());
    Array p(c.d.p(), GetParam());
    constexpr double kEpsilon = 1e-3;
    const auto call = [&](Context& context) { run(forward_call(in, p, kEpsilon), context); };
    run_everywhere({&in.mean, &in.rstd, &p, &in.choice}, call, [&] {
      Nums mean(in.mean.size()), rstd(in.mean.size());
      for (std::int64_t t = 0; t < c.d.t; ++t)
        for (std::int64_t ch = 0; ch < c.d.k; ++ch) {
          const auto tc = static_cast<std::size_t>(t * c.d.k + ch);
          long double squares = 0;
          c.d.pixels(t, ch, [&](std::size_t i) { mean[tc] += Num(in.y[i]) * Num(1 / c.d.m()); });
          c.d.pixels(t, ch, [&](std::size_t i) { squares += (in.y[i] - mean[tc].v) * (in.y[i] - mean[tc].v); });
          rstd[tc] = static_cast<double>(
              1 / std::sqrt(squares / c.d.m() + kEpsilon));  // magnitude: itself; no cancellation is forgiven
        }
      expect_near(in.mean, mean, kNormFactor, "mean");
      expect_near(in.rstd, rstd, kNormFactor, "rstd");
      expect_pooled(in, p);
    });
  }
}

TEST_P(Norm, ApplyEqualsForwardAtItsStatistics) {
  for (const NormCase& c : norm_cases()) {
    SCOPED_TRACE(c.d.y().to_string());
    NormPrimal in = primal(c, GetParam());
    Array p(c.d.p(), GetParam());
    const auto call = [&](Context& context) {
      NormReluPoolApply k;
      k.pool = c.d.pool;
      k.y = in.y.view(), k.mean = in.mean.view(), k.rstd = in.rstd.view();
      k.gamma = in.gamma.view(), k.beta = in.beta.view();
      k.p = p.mutable_view(), k.choice = in.choice.mutable_view();
      run(k, context);
    };
    run_everywhere({&p, &in.choice}, call, [&] { expect_pooled(in, p); });
  }
}

TEST_P(Norm, ApplyTakesStatisticsSharedByTasks) {
  const NormCase c{{3, 2, 4, 6, 5, Pool::kMax2x2}};
  NormPrimal in = primal(c, GetParam());
  in.mean = random_array({1, c.d.k}, GetParam(), 30);
  in.rstd = random_array({1, c.d.k}, GetParam(), 31, 1, 0.1);
  Array p(c.d.p(), GetParam());
  NormReluPoolApply k;
  k.y = in.y.view(), k.mean = in.mean.view(), k.rstd = in.rstd.view(), k.gamma = in.gamma.view(),
  k.beta = in.beta.view();
  k.p = p.mutable_view(), k.choice = in.choice.mutable_view();
  Context context(2, harness::one_target());
  run_now(k, context);
  expect_pooled(in, p);
}

TEST_P(Norm, Grad) {
  for (const NormCase& c : norm_cases()) {
    SCOPED_TRACE(c.d.y().to_string());
    const NormPrimal in = primal(c, GetParam());
    Array gy(c.d.y(), GetParam()), ggamma(c.d.channels(), GetParam()), gbeta(c.d.channels(), GetParam());
    const NormGradResult want = oracle_grad(in);
    run_everywhere(
        {&gy, &ggamma, &gbeta}, [&](Context& context) { run(grad_call(in, gy, ggamma, gbeta), context); },
        [&] {
          expect_near(gbeta, want.gbeta, kNormFactor, "gbeta");
          expect_near(ggamma, want.ggamma, kNormFactor, "ggamma");
          expect_near(gy, want.gy, kNormFactor, "gy");
        });
  }
}

TEST_P(Norm, Jvp) {
  for (const NormCase& c : norm_cases())
    for (const bool absent : {false, true}) {
      SCOPED_TRACE(c.d.y().to_string() + (absent ? " without ty, tgamma" : ""));
      const NormPrimal in = primal(c, GetParam());
      NormTangent tan = tangent(in, GetParam());
      if (absent) tan.ty = {}, tan.tgamma = {};
      Array tp(c.d.p(), GetParam()), tmean(c.d.channels(), GetParam()), trstd(c.d.channels(), GetParam());
      const NormJvpResult want = oracle_jvp(in, tan);
      run_everywhere(
          {&tp, &tmean, &trstd}, [&](Context& context) { run(jvp_call(in, tan, tp, tmean, trstd), context); },
          [&] {
            expect_near(tmean, want.tmean, kNormFactor, "tmean");
            expect_near(trstd, want.trstd, kNormFactor, "trstd");
            expect_near(tp, want.tp, kNormFactor, "tp");
          });
    }
}

TEST_P(Norm, GradJvp) {
  for (const NormCase& c : norm_cases())
    for (const int absent : {0, 1, 2, 3}) {  // 1: no ty, tgamma; 2: no tgp, tmean, trstd; 3: no gy
      SCOPED_TRACE(c.d.y().to_string() + " absent " + std::to_string(absent));
      if (absent != 0 && c.d.n * c.d.h * c.d.w > 1000) continue;
      const NormPrimal in = primal(c, GetParam());
      NormTangent tan = tangent(in, GetParam());
      if (absent == 1) tan.ty = {}, tan.tgamma = {};
      if (absent == 2) tan.tgp = {}, tan.tmean = {}, tan.trstd = {};
      Array gy(c.d.y(), GetParam()), ggamma(c.d.channels(), GetParam()), gbeta(c.d.channels(), GetParam());
      const NormGradResult primal_want = oracle_grad(in);
      Context context(1, harness::one_target());
      run_now(grad_call(in, gy, ggamma, gbeta), context);
      gy = absent == 3 ? Array() : Array(c.d.y(), GetParam());
      Array tgy(c.d.y(), GetParam()), tggamma(c.d.channels(), GetParam()), tgbeta(c.d.channels(), GetParam());
      const NormGradResult want = oracle_grad_jvp(in, ggamma, gbeta, tan);
      std::vector<Array*> outputs{&tgy, &tggamma, &tgbeta};
      if (gy) outputs.push_back(&gy);
      run_everywhere(
          outputs, [&](Context& ctx) { run(grad_jvp_call(in, ggamma, gbeta, tan, gy, tgy, tggamma, tgbeta), ctx); },
          [&] {
            if (gy) expect_near(gy, primal_want.gy, kNormFactor, "gy");
            expect_near(tgbeta, want.gbeta, kNormFactor, "tgbeta");
            expect_near(tggamma, want.ggamma, kNormFactor, "tggamma");
            expect_near(tgy, want.gy, kNormFactor, "tgy");
          });
    }
}

/// a + step * direction, or an absent array where `a` is one.
Array moved(const Array& a, const Array& direction, double step) {
  if (!a || !direction) return a;
  std::vector<double> v = a.values();
  for (std::size_t i = 0; i < v.size(); ++i) v[i] += step * direction[i];
  return {a.shape(), a.dtype(), v};
}

/// The derivatives of the whole map (statistics included) against central differences of the kernels one order below.
/// Error: truncation step^2 * third derivative, and epsilon/step, both near 1e-8 at a step of 1e-5.
TEST(NormDifferences, TangentsAreDerivatives) {
  constexpr double kStep = 1e-5, kTolerance = 2e-6;
  for (const NormCase& c :
       {NormCase{{2, 2, 5, 4, 3, Pool::kMax2x2}}, NormCase{{1, 3, 3, 3, 9, Pool::kNone}, Scale::kShared}}) {
    NormPrimal in = primal(c, DType::kF64);
    NormTangent tan = tangent(in, DType::kF64);
    Context context(1, harness::one_target());
    const auto make = [&] { return Array(c.d.channels(), DType::kF64); };
    Array tp(c.d.p(), DType::kF64), tmean = make(), trstd = make();
    run_now(jvp_call(in, tan, tp, tmean, trstd), context);
    tan.tmean = Array(c.d.channels(), DType::kF64, tmean.values());
    tan.trstd = Array(c.d.channels(), DType::kF64, trstd.values());

    Array p[2], gy[2], ggamma[3], gbeta[3], mean[2], rstd[2];
    for (int side = 0; side < 2; ++side) {
      const double step = side == 0 ? -kStep : kStep;
      NormPrimal near = in;
      near.y = moved(in.y, tan.ty, step), near.gamma = moved(in.gamma, tan.tgamma, step);
      near.beta = moved(in.beta, tan.tbeta, step), near.gp = moved(in.gp, tan.tgp, step);
      p[side] = Array(c.d.p(), DType::kF64), gy[side] = Array(c.d.y(), DType::kF64);
      ggamma[side] = make(), gbeta[side] = make();
      run_now(forward_call(near, p[side]), context);
      ASSERT_EQ(near.choice.memory(), in.choice.memory()) << "a decision flipped: the difference means nothing";
      mean[side] = near.mean, rstd[side] = near.rstd;
      run_now(grad_call(near, gy[side], ggamma[side], gbeta[side]), context);
    }
    const auto expect = [&](const Array& actual, const Array(&at)[2], const char* what) {
      for (std::size_t i = 0; i < actual.size(); ++i)
        ASSERT_NEAR(actual[i], (at[1][i] - at[0][i]) / (2 * kStep), kTolerance) << what << " " << i;
    };
    expect(tp, p, "tp");
    expect(tmean, mean, "tmean");
    expect(trstd, rstd, "trstd");

    Array base_gy(c.d.y(), DType::kF64), tgy(c.d.y(), DType::kF64), tggamma = make(), tgbeta = make();
    ggamma[2] = make(), gbeta[2] = make();
    run_now(grad_call(in, base_gy, ggamma[2], gbeta[2]), context);
    run_now(grad_jvp_call(in, ggamma[2], gbeta[2], tan, base_gy, tgy, tggamma, tgbeta), context);
    expect(tgy, gy, "tgy");
    for (std::size_t i = 0; i < tggamma.size(); ++i) {
      ASSERT_NEAR(tggamma[i], (ggamma[1][i] - ggamma[0][i]) / (2 * kStep), kTolerance);
      ASSERT_NEAR(tgbeta[i], (gbeta[1][i] - gbeta[0][i]) / (2 * kStep), kTolerance);
    }
  }
}

TEST_P(Norm, TiesGoToTheFirstAndConstantsMayDie) {
  const NormDims d{1, 2, 4, 4, 18, Pool::kMax2x2};
  NormPrimal in{d,
                Array(d.y(), GetParam(), std::vector<double>(static_cast<std::size_t>(d.y().numel()), 2.5)),
                random_array({1, d.k}, GetParam(), 5),
                Array(),
                Array(d.channels(), GetParam()),
                Array(d.channels(), GetParam()),
                Array(d.p(), DType::kU8),
                Array()};
  Array p(d.p(), GetParam());
  for (const double beta : {0.75, 0.0, -1.0}) {
    in.beta = Array({1, d.k}, GetParam(), std::vector<double>(static_cast<std::size_t>(d.k), beta));
    run_everywhere(
        {&in.mean, &in.rstd, &p, &in.choice}, [&](Context& context) { run(forward_call(in, p), context); },
        [&] {
          for (std::size_t i = 0; i < p.size(); ++i) {
            ASSERT_EQ(p[i], beta > 0 ? beta : 0);
            ASSERT_EQ(in.choice[i], beta > 0 ? 0 : kDead);
          }
        });
  }
}

TEST_P(Norm, EveryPositionCanWinAndANanIsPassedOn) {
  const NormDims d{1, 1, 2, 2, 40, Pool::kMax2x2};
  // Channel c holds its maximum at position c % 4, shared with the later positions where c is a multiple of 5; channels
  // above 32 hold a NaN at position c % 4 and a large number elsewhere.
  std::vector<double> y(160);
  for (std::size_t c = 0; c < 40; ++c)
    for (std::size_t s = 0; s < 4; ++s) {
      y[s * 40 + c] = s == c % 4 || (c % 5 == 0 && s > c % 4) ? 3 : 1;
      if (c > 32) y[s * 40 + c] = s == c % 4 ? std::nan("") : 100;
    }
  NormPrimal in{d,
                Array(d.y(), GetParam(), y),
                Array(),
                Array({1, d.k}, GetParam(), std::vector<double>(40, 0.0)),
                Array({1, d.k}, GetParam(), std::vector<double>(40, 0.0)),
                Array({1, d.k}, GetParam(), std::vector<double>(40, 1.0)),
                Array(d.p(), DType::kU8),
                Array()};
  Array p(d.p(), GetParam());
  const auto call = [&](Context& context) {
    NormReluPoolApply k;
    k.y = in.y.view(), k.mean = in.mean.view(), k.rstd = in.rstd.view(), k.beta = in.beta.view();
    k.p = p.mutable_view(), k.choice = in.choice.mutable_view();
    run(k, context);
  };
  run_everywhere({&p, &in.choice}, call, [&] {
    for (std::size_t c = 0; c < 40; ++c) {
      if (c > 32) {
        EXPECT_TRUE(std::isnan(p[c])) << c;
        EXPECT_EQ(in.choice[c], kDead) << c;
      } else {
        EXPECT_EQ(p[c], 3) << c;
        EXPECT_EQ(in.choice[c], static_cast<double>(c % 4)) << c;
      }
    }
  });
}

/// The rows of one task.
template <class V>
V task_of(V v, std::int64_t t) {
  if (!v || v.shape[0] == 1) return v;
  const std::int64_t bytes = v.shape.numel() / v.shape[0] * static_cast<std::int64_t>(size_of(v.dtype));
  v.data = static_cast<std::conditional_t<std::is_same_v<V, View>, char, const char>*>(v.data) + t * bytes;
  v.shape = v.shape.with(0, 1);
  return v;
}

TEST_P(Norm, ATaskHasTheSameBitsAlone) {
  for (const NormCase& c : {NormCase{{3, 2, 7, 9, 16, Pool::kMax2x2}}, NormCase{{3, 1, 5, 6, 70, Pool::kNone}},
                            NormCase{{2, 1, 67, 64, 20, Pool::kMax2x2}}, NormCase{{5, 1, 65, 65, 3, Pool::kMax2x2}}}) {
    SCOPED_TRACE(c.d.y().to_string());
    NormPrimal in = primal(c, GetParam());
    const NormTangent tan = tangent(in, GetParam());
    Array p(c.d.p(), GetParam()), gy(c.d.y(), GetParam()), tgy(c.d.y(), GetParam()), tp(c.d.p(), GetParam());
    std::vector<Array> lines(6, Array(c.d.channels(), GetParam()));  // ggamma, gbeta, tggamma, tgbeta, tmean, trstd
    std::vector<Array*> outputs{&in.mean, &in.rstd, &in.choice, &p, &gy, &tgy, &tp};
    for (Array& a : lines) outputs.push_back(&a);
    const auto forward = forward_call(in, p);
    const auto grad = grad_call(in, gy, lines[0], lines[1]);
    const auto jvp = jvp_call(in, tan, tp, lines[4], lines[5]);
    Array unwanted;
    const auto grad_jvp = grad_jvp_call(in, lines[0], lines[1], tan, unwanted, tgy, lines[2], lines[3]);
    Context context(1, harness::one_target());
    run(forward, context), run(grad, context), run(jvp, context), run_now(grad_jvp, context);
    std::vector<Bytes> together;
    for (Array* a : outputs) together.push_back(a->memory()), a->reset();
    for (std::int64_t t = 0; t < c.d.t; ++t) {
      NormReluPoolForward f = forward;
      f.y = task_of(f.y, t), f.gamma = task_of(f.gamma, t), f.beta = task_of(f.beta, t), f.mean = task_of(f.mean, t);
      f.rstd = task_of(f.rstd, t), f.p = task_of(f.p, t), f.choice = task_of(f.choice, t);
      run(f, context);
      NormReluPoolGrad g = grad;
      g.y = task_of(g.y, t), g.mean = task_of(g.mean, t), g.rstd = task_of(g.rstd, t), g.gamma = task_of(g.gamma, t);
      g.choice = task_of(g.choice, t), g.gp = task_of(g.gp, t), g.gy = task_of(g.gy, t);
      g.ggamma = task_of(g.ggamma, t), g.gbeta = task_of(g.gbeta, t);
      run(g, context);
      NormReluPoolJvp j = jvp;
      j.y = g.y, j.mean = g.mean, j.rstd = g.rstd, j.gamma = g.gamma, j.choice = g.choice, j.ty = task_of(j.ty, t);
      j.tgamma = task_of(j.tgamma, t), j.tbeta = task_of(j.tbeta, t), j.tp = task_of(j.tp, t);
      j.tmean = task_of(j.tmean, t), j.trstd = task_of(j.trstd, t);
      run(j, context);
      NormReluPoolGradJvp d = grad_jvp;
      d.y = g.y, d.mean = g.mean, d.rstd = g.rstd, d.gamma = g.gamma, d.choice = g.choice, d.gp = g.gp;
      d.ggamma = g.ggamma, d.gbeta = g.gbeta, d.ty = j.ty, d.tgamma = j.tgamma;
      d.tmean = task_of(d.tmean, t), d.trstd = task_of(d.trstd, t), d.tgp = task_of(d.tgp, t);
      d.tgy = task_of(d.tgy, t), d.tggamma = task_of(d.tggamma, t), d.tgbeta = task_of(d.tgbeta, t);
      run_now(d, context);
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) EXPECT_EQ(outputs[i]->memory(), together[i]) << "output " << i;
  }
}

/// More tasks than a grid may be long in its second and third axis.
TEST_P(Norm, ManyTasks) {
  const NormDims d{70001, 1, 1, 2, 1, Pool::kNone};
  NormPrimal in = primal({d, Scale::kAbsent}, GetParam());
  for (const std::int64_t t : {0, 1, 255, 65535, 65536, 70000}) {
    const auto i = static_cast<std::size_t>(t);
    EXPECT_NEAR(in.mean[i], (in.y[2 * i] + in.y[2 * i + 1]) / 2, 1e-6) << t;
  }
}

TEST_P(Norm, AnEmptyBatchLeavesFiniteStatisticsAndZeroGradients) {
  const NormDims d{2, 0, 4, 4, 5, Pool::kMax2x2};
  NormPrimal in = primal({d}, GetParam());
  Array gy(d.y(), GetParam()), ggamma(d.channels(), GetParam()), gbeta(d.channels(), GetParam());
  Context context(2, harness::one_target());
  run_now(grad_call(in, gy, ggamma, gbeta), context);
  for (std::size_t i = 0; i < ggamma.size(); ++i) {
    EXPECT_EQ(in.mean[i], 0);
    EXPECT_TRUE(std::isfinite(in.rstd[i]));
    EXPECT_EQ(ggamma[i], 0);
    EXPECT_EQ(gbeta[i], 0);
  }
}

TEST_P(Norm, AWrongRankIsNamed) {
  Context context(1, harness::one_target());
  NormReluPoolForward k;
  k.y = {nullptr, GetParam(), {2, 3}};
  try {
    run(k, context);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("norm_relu_pool: [2, 3]"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace innerloop::kernels
