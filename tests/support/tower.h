// Towers of derivatives: from a function, the function that is its vjp or its jvp, and so on up to any order.
//
//   reverse_of(f): (x, u) -> J(x)^T u        forward_of(f): (x, v) -> J(x) v
//
// Both are functions of all their arguments again, so a derivative of one along (x, u) also checks that a rule is
// linear in the cotangent by derivatives, which is what a later order rests on. All four second-order paths (reverse
// over reverse, forward over reverse, reverse over forward, forward over forward) are two steps up the tower.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "autograd/var.h"

namespace innerloop::test {

using autograd::Var;
using autograd::Vars;

using OpFunction = std::function<Vars(const Vars&)>;

struct Level {
  std::string name;  ///< the path: "f", "f'R", "f'RF", ... where R is a reverse and F a forward step
  OpFunction f;
  std::vector<Tensor> x;  ///< float64 arguments, all of them differentiable
};

/// `x` is followed by one random cotangent for each output of `base`.
Level reverse_of(const Level& base, std::uint32_t seed);
/// `x` is followed by one random tangent for each argument of `base`.
Level forward_of(const Level& base, std::uint32_t seed);
/// All paths of up to `order` steps, `base` first. The same seed and shapes give the same arguments.
std::vector<Level> tower(const Level& base, int order, std::uint32_t seed);

/// f at x without a record, in the dtype of x.
std::vector<Tensor> evaluate(const OpFunction& f, const std::vector<Tensor>& x);

/// The derivative of `level` along a random direction, contracted with a random cotangent: vjp and jvp against each
/// other and against five-point differences.
void expect_derivative(const Level& level, std::uint32_t seed, double tolerance);

}  // namespace innerloop::test
