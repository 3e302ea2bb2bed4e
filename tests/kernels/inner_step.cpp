// Steps of the inner loop: the bits of the gradient and then the step, on every target.
#include "kernels/inner_step.h"

#include "tests/kernels/harness.h"
#include "tests/kernels/sample_common.h"

namespace innerloop::kernels {
namespace {

using namespace harness;

constexpr double kRate = 0.07;

struct StepCase {
  const char* name;
  std::int64_t tasks, images, height, width, channels, filters;
  Pool pool = Pool::kMax2x2;
  bool scaled = true;
  bool inner = true;  ///< x has a gradient and a tangent
  bool stored = true;  ///< y; else the moments of the images' patches
};

std::vector<StepCase> cases() {
  return {
      {"both gradients in one launch", 3, 2, 9, 8, 16, 16},
      {"a split sum", 1, 3, 14, 15, 16, 32},
      {"first layer", 2, 3, 9, 11, 1, 20, Pool::kMax2x2, true, false},
      {"first layer, a split sum of narrow tiles", 1, 2, 24, 24, 1, 64, Pool::kMax2x2, true, false},
      {"many tasks, each of whose sums one block takes in pieces", 264, 1, 17, 16, 4, 4, Pool::kNone, false, false},
      {"odd channels, no scale, no pool", 2, 2, 6, 7, 3, 5, Pool::kNone, false},
      {"a norm in parts", 1, 2, 48, 46, 4, 8},
      {"tiles of an image", 2, 3, 16, 16, 16, 36},
      {"tiles of an image in parts", 1, 9, 16, 15, 8, 8},
      {"moments of images", 3, 2, 17, 16, 1, 40, Pool::kMax2x2, true, false, false},
      {"moments of images in colour, no scale, no pool", 2, 3, 10, 12, 3, 5, Pool::kNone, false, false, false},
  };
}

/// What a step and its tangent read and write.
struct Step {
  Shape sx, sw, sy, sp, line;
  ConvGeometry geometry;
  Pool pool;
  Array x, w, gamma, beta, y, mean, rstd, p, choice, gp, tx, tw, tgamma, tbeta, ty, tp, tmean, trstd, tgp, moments;
  Array gx, gw, ggamma, gbeta, next_w, next_gamma, next_beta;

  Step(const StepCase& c, DType t)
      : sx{c.tasks, c.images, c.height, c.width, c.channels},
        sw{c.tasks, 3, 3, c.channels, c.filters},
        sy{c.tasks, c.images, c.height, c.width, c.filters},
        sp(c.pool == Pool::kNone ? sy : sy.with(2, c.height / 2).with(3, c.width / 2)),
        line{c.tasks, c.filters},
        geometry{.pad_top = 1, .pad_left = 1},
        pool(c.pool) {
    x = random_array(sx, t, 1, 0.5), w = random_array(sw, t, 2, 0.1), beta = random_array(line, t, 4);
    if (c.scaled) gamma = random_array(line, t, 3), tgamma = random_array(line, t, 7), next_gamma = Array(line, t);
    y = Array(sy, t), p = Array(sp, t), choice = Array(sp, DType::kU8), mean = Array(line, t), rstd = Array(line, t);
    gp = random_array(sp, t, 5), tgp = random_array(sp, t, 10), tw = random_array(sw, t, 8), tbeta = random_array(line, t, 9);
    ty = Array(sy, t), tp = Array(sp, t), tmean = Array(line, t), trstd = Array(line, t);
    gw = Array(sw, t), ggamma = Array(line, t), gbeta = Array(line, t), next_w = Array(sw, t), next_beta = Array(line, t);
    if (c.inner) gx = Array(sx, t), tx = random_array(sx, t, 6);
    if (!c.stored) moments = Array(moments_shape(sx, sw), DType::kF64);
  }
  /// y or ty as kernels see it.
  View of_y(Array& map) {
    View view = map.mutable_view();
    if (moments) view.data = nullptr;
    return view;
  }
  void prepare(Context& context) {
    if (moments) run(PatchMoments{geometry, sw, sy, x.view(), moments.mutable_view()}, context);
    run(ConvBlockForward{geometry, pool, 1e-5, x.view(), w.view(), gamma.view(), beta.view(), of_y(y),
                         mean.mutable_view(), rstd.mutable_view(), p.mutable_view(), choice.mutable_view(), moments.view()},
        context);
    run(ConvBlockJvp{geometry, pool, x.view(), w.view(), gamma.view(), of_y(y), mean.view(), rstd.view(), choice.view(),
                     tx.view(), tw.view(), tgamma.view(), tbeta.view(), tp.mutable_view(), of_y(ty),
                     tmean.mutable_view(), trstd.mutable_view(), moments.view()},
        context);
  }
  ConvBlockGrad gradient() {
    return {geometry, pool, x.view(), w.view(), gamma.view(), of_y(y), mean.view(), rstd.view(), choice.view(), gp.view(),
            gx.mutable_view(), gw.mutable_view(), ggamma.mutable_view(), gbeta.mutable_view(), moments.view()};
  }
  ConvBlockStep step() {
    ConvBlockStep k{gradient(), kRate, beta.view(), next_gamma.mutable_view(), next_beta.mutable_view()};
    k.grad.gw = next_w.mutable_view();
    return k;
  }
  ConvBlockStepJvp step_jvp() {
    return {{geometry, pool, x.view(), w.view(), gamma.view(), of_y(y), mean.view(), rstd.view(), choice.view(), gp.view(),
             ggamma.view(), gbeta.view(), tx.view(), tw.view(), tgamma.view(), of_y(ty), tmean.view(), trstd.view(),
             tgp.view(), gx.mutable_view(), next_w.mutable_view(), next_gamma.mutable_view(), next_beta.mutable_view(), moments.view()},
            kRate,
            tbeta.view()};
  }
  /// Of either: the arrays that it writes.
  std::vector<Array*> outputs() {
    std::vector<Array*> all{&next_w, &next_beta};
    for (Array* a : {&gx, &next_gamma})
      if (*a) all.push_back(a);
    return all;
  }
};

/// Runs `kernel` everywhere and compares the bits of `outputs` with those of its composition on the same target.
template <class K>
void expect_composition(const K& kernel, const std::vector<Array*>& outputs) {
  Target target = one_target();
  run_everywhere(
      outputs,
      [&](Context& context) {
        target = context.target();
        run(kernel, context);
      },
      [&] {
        std::vector<Bytes> got;
        for (Array* a : outputs) got.push_back(a->memory()), a->reset();
        Context context(1, target);
        compose(kernel, context);
        wait_for_device();
        for (std::size_t i = 0; i < outputs.size(); ++i) EXPECT_EQ(got[i], outputs[i]->memory()) << "output " << i;
      });
}

class InnerStep : public ::testing::TestWithParam<DType> {};
INSTANTIATE_TEST_SUITE_P(Dtypes, InnerStep, ::testing::Values(DType::kF32, DType::kF64),
                         [](const auto& instance) { return std::string(name_of(instance.param)); });

TEST_P(InnerStep, OfABlockIsItsGradientAndThenAStep) {
  for (const StepCase& c : cases()) {
    SCOPED_TRACE(c.name);
    if (c.tasks > 100 && GetParam() == DType::kF64) continue;  // the same code, and each thread is executed
    Step s(c, GetParam());
    Context context(1, one_target());
    s.prepare(context);
    std::vector<Array*> outputs = s.outputs();
    outputs.insert(outputs.end(), {&s.ggamma, &s.gbeta});
    expect_composition(s.step(), outputs);
    expect_composition(s.step_jvp(), s.outputs());
  }
}

TEST_P(InnerStep, MovesEveryParameterDownItsGradient) {
  Step s(cases()[0], GetParam());
  Context context(1, one_target());
  s.prepare(context);
  run(s.gradient(), context);
  run(s.step(), context);
  wait_for_device();
  const auto expect_moved = [](const Array& next, const Array& from, const Array& by, const char* what) {
    std::vector<Num> expected(next.size());
    for (std::size_t i = 0; i < next.size(); ++i) expected[i] = Num(from[i]) - Num(kRate) * Num(by[i]);
    expect_near(next, expected, 2, what);
  };
  expect_moved(s.next_w, s.w, s.gw, "w");
  expect_moved(s.next_gamma, s.gamma, s.ggamma, "gamma");
  expect_moved(s.next_beta, s.beta, s.gbeta, "beta");
}

TEST_P(InnerStep, OfAHeadIsItsGradientAndThenAStep) {
  struct HeadDims {
    std::int64_t t, n, f, c;
  };
  // The last has more logits than one block of a device takes.
  for (const HeadDims d : {HeadDims{2, 5, 64, 5}, {1, 1, 1, 1}, {3, 7, 33, 9}, {1, 65, 9, 40}}) {
    SCOPED_TRACE(d.f);
    const DType t = GetParam();
    const Shape sx{d.t, d.n, d.f}, sw{d.t, d.f, d.c}, sb{d.t, d.c}, rows{d.t, d.n, d.c};
    const Array x = random_array(sx, t, 1), w = random_array(sw, t, 2), bias = random_array(sb, t, 3);
    const Array tx = random_array(sx, t, 4), tw = random_array(sw, t, 5), tbias = random_array(sb, t, 6);
    std::vector<double> classes(static_cast<std::size_t>(d.t * d.n));
    for (std::size_t i = 0; i < classes.size(); ++i) classes[i] = static_cast<double>(i * 7 % static_cast<std::size_t>(d.c));
    const Array labels({d.t, d.n}, DType::kI64, classes);
    Array loss({d.t}, t), prob(rows, t), gx(sx, t), next_w(sw, t), next_bias(sb, t);
    expect_composition(HeadStep{{LossReduction::kMean, x.view(), w.view(), bias.view(), labels.view(), loss.mutable_view(),
                                 prob.mutable_view(), gx.mutable_view(), next_w.mutable_view(), next_bias.mutable_view()},
                                kRate},
                       {&loss, &prob, &gx, &next_w, &next_bias});
    Array tgx(sx, t);
    expect_composition(
        HeadStepJvp{{LossReduction::kMean, x.view(), w.view(), prob.view(), labels.view(), tx.view(), tw.view(), tbias.view(),
                     tgx.mutable_view(), next_w.mutable_view(), next_bias.mutable_view()},
                    kRate},
        {&tgx, &next_w, &next_bias});
  }
}

TEST(InnerStepErrors, NameTheOperand) {
  Step s(cases()[0], DType::kF32);
  Context context(1, one_target());
  ConvBlockStep step = s.step();
  step.next_gamma = {};
  EXPECT_NE(error_of([&] { run(step, context); }).find("conv_block_step: gamma"), std::string::npos);
  ConvBlockStepJvp jvp = s.step_jvp();
  jvp.grad.tw = {};
  EXPECT_NE(error_of([&] { run(jvp, context); }).find("conv_block_step_jvp: tw is absent"), std::string::npos);
}

}  // namespace
}  // namespace innerloop::kernels
