// What every op must pass, driven by the entries of cases/.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "autograd/op.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/transforms.h"
#include "cases/op_case.h"
#include "support/compare.h"
#include "support/tolerance.h"
#include "support/tower.h"
#include "tensor/context.h"

namespace innerloop::test {
namespace {

using autograd::Record;

Arrays arrays(const std::vector<Tensor>& x) { return Arrays(x.begin(), x.end()); }

std::vector<Tensor> draw(const Variant& variant, std::uint32_t seed) {
  std::vector<Tensor> x;
  for (std::size_t i = 0; i < variant.inputs.size(); ++i)
    x.push_back(random_tensor(variant.inputs[i].shape, variant.inputs[i].range, seed, static_cast<std::uint32_t>(i)));
  return x;
}

std::string describe(const Variant& variant) {
  std::string text;
  for (const Input& i : variant.inputs) text += i.shape.to_string() + " ";
  return text;
}

/// Inputs of `variant` away from kinks. Empty, with a failure, when no seed gives such.
std::vector<Tensor> inputs_of(const OpCase& c, const Variant& variant) {
  constexpr std::uint32_t kSeeds = 3000;
  for (std::uint32_t seed = 1; seed <= kSeeds; ++seed) {
    std::vector<Tensor> x = draw(variant, seed);
    if (!c.margin || c.margin(arrays(x)) > kKinkMargin) return x;
  }
  ADD_FAILURE() << c.name << ": no seed keeps " << describe(variant) << "away from kinks; use smaller shapes";
  return {};
}

/// `f` as a function of the inputs `chosen`, the others bound to their values.
Level base_level(const OpFunction& f, const std::vector<Tensor>& x, const std::vector<std::size_t>& chosen) {
  const auto bound = [f, x, chosen](const Vars& moving) {
    // Constants follow the dtype of what moves, so that one closure serves float32 and float64.
    Vars all;
    for (const Tensor& t : x) all.emplace_back(moving.empty() ? t : t.to(moving[0].dtype()));
    for (std::size_t i = 0; i < chosen.size(); ++i) all[chosen[i]] = moving[i];
    return f(all);
  };
  std::vector<Tensor> at;
  for (std::size_t i : chosen) at.push_back(x[i]);
  return {"f", bound, at};
}

/// All differentiable inputs at once, then each alone: rules must not rely on a tangent or a cotangent being there.
std::vector<std::vector<std::size_t>> subsets(const Variant& variant) {
  std::vector<std::vector<std::size_t>> out(1);
  for (std::size_t i = 0; i < variant.inputs.size(); ++i)
    if (variant.inputs[i].role == Role::kDifferentiable) out[0].push_back(i);
  if (out[0].size() > 1)
    for (std::size_t i : std::vector<std::size_t>(out[0])) out.push_back({i});
  if (out[0].empty()) out.clear();
  return out;
}

class OpCheck : public ::testing::TestWithParam<OpCase> {
 protected:
  /// Calls body(variant, inputs) for every variant.
  template <class Body>
  void for_each_variant(Body body) {
    for (const Variant& variant : GetParam().variants) {
      SCOPED_TRACE(GetParam().name + " " + describe(variant));
      const std::vector<Tensor> x = inputs_of(GetParam(), variant);
      if (!x.empty()) body(variant, x);
    }
  }
};

TEST_P(OpCheck, ForwardIsTheOracles) {
  for_each_variant([&](const Variant&, const std::vector<Tensor>& x) {
    for (DType dtype : {DType::kF64, DType::kF32}) {
      const std::vector<Tensor> in = cast(x, dtype);
      const std::vector<Tensor> y = evaluate(GetParam().f, in);
      const Arrays expected = GetParam().oracle(arrays(in));
      ASSERT_EQ(y.size(), expected.size());
      for (std::size_t i = 0; i < y.size(); ++i) {
        EXPECT_EQ(y[i].dtype(), dtype);
        EXPECT_TRUE(near(y[i], expected[i], dtype == DType::kF64 ? kForwardF64 : kForwardF32)) << name_of(dtype);
      }
    }
  });
}

TEST_P(OpCheck, DerivativesOfOrders1To3AreThoseOfDifferences) {
  for_each_variant([&](const Variant& variant, const std::vector<Tensor>& x) {
    if (variant.order < 1) return;
    for (const auto& chosen : subsets(variant))
      for (const Level& level : tower(base_level(GetParam().f, x, chosen), variant.order - 1, 100))
        expect_derivative(level, 7, kDifference);
  });
}

TEST_P(OpCheck, HessianIsSymmetricAndOneInBothModes) {
  for_each_variant([&](const Variant& variant, const std::vector<Tensor>& x) {
    if (variant.order < 2) return;
    for (const auto& chosen : subsets(variant)) {
      const Level base = base_level(GetParam().f, x, chosen);
      const std::vector<Tensor> cotangents = random_like(evaluate(base.f, base.x), 11);
      const auto scalar = [&](const Vars& at) {
        const Vars y = base.f(at);
        Var total = autograd::sum_all(y[0] * Var(cotangents[0]));
        for (std::size_t i = 1; i < y.size(); ++i) total = total + autograd::sum_all(y[i] * Var(cotangents[i]));
        return Vars{total};
      };
      const std::vector<Tensor> u = random_like(base.x, 12), v = random_like(base.x, 13);
      const Vars at(base.x.begin(), base.x.end());
      const auto product = [&](auto mode, const std::vector<Tensor>& along) {
        return autograd::values(mode(scalar, at, Vars(along.begin(), along.end()), Record::kValues));
      };
      const std::vector<Tensor> hu = product(autograd::hvp, u), hv = product(autograd::hvp, v);
      const std::vector<Tensor> reverse = product(autograd::hvp_reverse, v);
      EXPECT_LE(std::abs(dot(u, hv) - dot(v, hu)), kAdjoint * (dot_magnitude(u, hv) + dot_magnitude(v, hu) + 1e-3));
      EXPECT_TRUE(near(hv, reverse, kAdjoint));
    }
  });
}

TEST_P(OpCheck, Float32DerivativesFollowFloat64) {
  for_each_variant([&](const Variant& variant, const std::vector<Tensor>& x) {
    const std::vector<Tensor> narrow = cast(cast(x, DType::kF32), DType::kF64);
    for (const auto& chosen : subsets(variant))
      for (const Level& level : tower(base_level(GetParam().f, narrow, chosen), std::min(2, variant.order), 200)) {
        const std::vector<Tensor> in = cast(level.x, DType::kF32);
        const std::vector<Tensor> y = evaluate(level.f, in);
        for (const Tensor& t : y) EXPECT_EQ(t.dtype(), DType::kF32) << level.name;
        EXPECT_TRUE(near(y, evaluate(level.f, cast(in, DType::kF64)), kDerivativeF32, 1)) << level.name;
      }
  });
}

class FusedOpCheck : public OpCheck {};

TEST_P(FusedOpCheck, IsItsReferenceAtOrders0To3) {
  for_each_variant([&](const Variant& variant, const std::vector<Tensor>& x) {
    for (const auto& chosen : subsets(variant)) {
      const auto fused = tower(base_level(GetParam().f, x, chosen), variant.order, 300);
      const auto plain = tower(base_level(GetParam().reference, x, chosen), variant.order, 300);
      for (std::size_t i = 0; i < fused.size(); ++i)
        EXPECT_TRUE(near(evaluate(fused[i].f, fused[i].x), evaluate(plain[i].f, plain[i].x), kFused)) << fused[i].name;
    }
  });
}

TEST_P(OpCheck, SameBitsTwiceAndAtAnyNumberOfThreads) {
  for_each_variant([&](const Variant& variant, const std::vector<Tensor>& x) {
    for (DType dtype : {DType::kF64, DType::kF32}) {
      const auto levels = subsets(variant).empty() ? std::vector<Level>{base_level(GetParam().f, x, {})}
                                                   : tower(base_level(GetParam().f, x, subsets(variant)[0]),
                                                           std::min(2, variant.order), 400);
      for (const Level& level : levels) {
        const std::vector<Tensor> in = cast(level.x, dtype);
        const std::vector<Tensor> first = evaluate(level.f, in);
        EXPECT_TRUE(same_bits(first, evaluate(level.f, in))) << level.name << " twice";
        for (int threads : {1, 2, 3}) {
          Context context(threads, Context::current().target());
          ContextScope scope(context);
          EXPECT_TRUE(same_bits(first, evaluate(level.f, in))) << level.name << " at " << threads << " threads";
        }
      }
    }
  });
}

class BadCallCheck : public OpCheck {};

TEST_P(BadCallCheck, BadCallsNameTheOpAndTheShapes) {
  for (const BadCall& bad : GetParam().bad_calls) EXPECT_TRUE(throws_with(bad.call, bad.words)) << GetParam().name;
}

template <class Keep>
std::vector<OpCase> cases_that(Keep keep) {
  std::vector<OpCase> kept;
  for (OpCase& c : all_cases())
    if (keep(c)) kept.push_back(std::move(c));
  return kept;
}

std::string name_of_case(const ::testing::TestParamInfo<OpCase>& c) { return c.param.name; }

INSTANTIATE_TEST_SUITE_P(Ops, OpCheck, ::testing::ValuesIn(all_cases()), name_of_case);
INSTANTIATE_TEST_SUITE_P(Ops, FusedOpCheck,
                         ::testing::ValuesIn(cases_that([](const OpCase& c) { return c.reference != nullptr; })),
                         name_of_case);
INSTANTIATE_TEST_SUITE_P(Ops, BadCallCheck,
                         ::testing::ValuesIn(cases_that([](const OpCase& c) { return !c.bad_calls.empty(); })),
                         name_of_case);

}  // namespace
}  // namespace innerloop::test
