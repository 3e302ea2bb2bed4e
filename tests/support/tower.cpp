#include "support/tower.h"

#include <cmath>

#include "autograd/op.h"
#include "autograd/ops/alias.h"
#include "autograd/transforms.h"
#include "support/compare.h"
#include "support/random.h"
#include "support/tolerance.h"

namespace innerloop::test {

using autograd::alias;
using autograd::or_zeros;
using autograd::Record;
using autograd::values;

namespace {

Vars constants(const std::vector<Tensor>& x) { return Vars(x.begin(), x.end()); }

Vars places(const Vars& x) {
  Vars out;
  for (const Var& v : x) out.push_back(alias(v));
  return out;
}

/// The first `n` arguments, as places of their own, and the rest.
struct Arguments {
  Vars at, along;
  Arguments(const Vars& all, std::size_t n)
      : at(places(Vars(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(n)))),
        along(all.begin() + static_cast<std::ptrdiff_t>(n), all.end()) {}
};

Vars defined(Vars x, const Vars& like) {
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = or_zeros(x[i], like[i]);
  return x;
}

std::vector<Tensor> joined(std::vector<Tensor> a, const std::vector<Tensor>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace

std::vector<Tensor> evaluate(const OpFunction& f, const std::vector<Tensor>& x) { return values(f(constants(x))); }

Level reverse_of(const Level& base, std::uint32_t seed) {
  const std::size_t n = base.x.size();
  const auto f = [inner = base.f, n](const Vars& all) {
    const Arguments a(all, n);
    autograd::RecordScope on(true);
    return defined(autograd::vjp(inner(a.at), a.along, a.at, Record::kGraph), a.at);
  };
  return {base.name + "R", f, joined(base.x, random_like(evaluate(base.f, base.x), seed))};
}

Level forward_of(const Level& base, std::uint32_t seed) {
  const std::size_t n = base.x.size();
  const auto f = [inner = base.f, n](const Vars& all) {
    const Arguments a(all, n);
    autograd::RecordScope on(true);
    const Vars y = inner(a.at);
    return defined(autograd::jvp(y, a.at, a.along, Record::kGraph), y);
  };
  return {base.name + "F", f, joined(base.x, random_like(base.x, seed))};
}

std::vector<Level> tower(const Level& base, int order, std::uint32_t seed) {
  std::vector<Level> levels{base};
  std::size_t begin = 0;
  for (int k = 0; k < order; ++k) {
    const std::size_t end = levels.size();
    for (std::size_t i = begin; i < end; ++i) {
      const Level below = levels[i];
      const auto at = seed + 10 * static_cast<std::uint32_t>(levels.size());
      levels.push_back(reverse_of(below, at));
      levels.push_back(forward_of(below, at + 1));
    }
    begin = end;
  }
  return levels;
}

void expect_derivative(const Level& level, std::uint32_t seed, double tolerance) {
  const std::vector<Tensor> y = evaluate(level.f, level.x);
  const std::vector<Tensor> u = random_like(y, seed), v = random_like(level.x, seed + 1);

  Vars at;
  for (const Tensor& t : level.x) at.push_back(autograd::variable(t));
  const Vars recorded = level.f(at);
  const std::vector<Tensor> jtu = values(autograd::vjp(recorded, constants(u), at, Record::kValues));
  const std::vector<Tensor> jv = values(autograd::jvp(recorded, at, constants(v), Record::kValues));

  const double forward = dot(u, jv), reverse = dot(jtu, v);
  const double scale = dot_magnitude(u, jv) + dot_magnitude(jtu, v);
  EXPECT_LE(std::abs(forward - reverse), kAdjoint * scale)
      << level.name << ": <u, J v> = " << forward << ", <J^T u, v> = " << reverse;

  const double difference =
      five_point([&](double h) { return dot(u, evaluate(level.f, shifted(level.x, h, v))); }, kStep);
  EXPECT_LE(std::abs(forward - difference), tolerance * (scale + 1e-3 * dot_magnitude(u, y)))
      << level.name << ": jvp gives " << forward << ", differences " << difference;
  EXPECT_LE(std::abs(reverse - difference), tolerance * (scale + 1e-3 * dot_magnitude(u, y)))
      << level.name << ": vjp gives " << reverse << ", differences " << difference;
}

}  // namespace innerloop::test
