// Ops that change the record and not the value.
#include <cmath>

#include "autograd/ops/alias.h"
#include "autograd/ops/elementwise.h"
#include "autograd/transforms.h"
#include "cases/op_case.h"

namespace innerloop::test {

using namespace autograd;

std::vector<OpCase> record_cases() {
  const auto composition = [](const Vars& x) {
    const Var a = autograd::tanh(x[0] * x[1]);
    return Vars{autograd::exp(a) + square(x[1]), a / affine(square(x[0]), 1, 1)};
  };
  const auto composition_oracle = [](const Arrays& x) {
    Array first(x[0].shape), second(x[0].shape);
    for (std::size_t i = 0; i < x[0].v.size(); ++i) {
      const double p = x[0].v[i], q = x[1].v[i], a = std::tanh(p * q);
      first.v[i] = std::exp(a) + q * q;
      second.v[i] = a / (p * p + 1);
    }
    return Arrays{first, second};
  };
  return {
      {.name = "alias",
       .f = [](const Vars& x) { return Vars{square(alias(square(x[0])))}; },
       .oracle =
           [](const Arrays& x) {
             Array y = x[0];
             for (double& v : y.v) v = v * v * v * v;
             return Arrays{y};
           },
       .variants = {{{{{2, 3}}}}, {{{{0}}}}}},
      // Derivatives in y alone: x enters as a constant, whatever it came from.
      {.name = "detach",
       .f = [](const Vars& x) { return Vars{detach(square(variable(x[0].value()))) * square(x[1])}; },
       .oracle =
           [](const Arrays& x) {
             Array y = x[0];
             for (std::size_t i = 0; i < y.v.size(); ++i) y.v[i] *= y.v[i] * x[1].v[i] * x[1].v[i];
             return Arrays{y};
           },
       .variants = {{{{{2, 3}, {}, Role::kConstant}, {{2, 3}}}}}},
      {.name = "checkpoint",
       .f = [=](const Vars& x) { return checkpoint(composition, x); },
       .oracle = composition_oracle,
       .variants = {{{{{2, 3}}, {{2, 3}}}}, {{{{}}, {{}}}}},
       .reference = composition},
      {.name = "checkpoint_nested",
       .f = [=](const Vars& x) { return checkpoint([=](const Vars& y) { return checkpoint(composition, y); }, x); },
       .oracle = composition_oracle,
       .variants = {{{{{2, 2}}, {{2, 2}}}}},
       .reference = composition},
  };
}

}  // namespace innerloop::test
