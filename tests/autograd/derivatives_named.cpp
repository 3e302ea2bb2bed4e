// Every kernel of a derivative says which one it serves: forward, first, tangent, second.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "autograd/op.h"
#include "autograd/ops/conv_block.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/transforms.h"
#include "kernels/watch.h"

namespace innerloop::autograd {
namespace {

using Counts = std::map<Derivative, int>;
Counts* t_counts = nullptr;
void count(const kernels::KernelCall&) noexcept { ++(*t_counts)[current_derivative()]; }
void ignore(const kernels::KernelCall&) noexcept {}
constexpr kernels::KernelHooks kHooks{&count, &ignore};

template <class F>
Counts counts_of(const F& work) {
  Counts counts;
  t_counts = &counts;
  kernels::set_kernel_hooks(&kHooks);
  work();
  kernels::set_kernel_hooks(nullptr);
  return counts;
}

bool only(const Counts& counts, std::initializer_list<Derivative> these) {
  std::size_t found = 0;
  for (const Derivative d : these) found += counts.contains(d) ? 1 : 0;
  return found == these.size() && counts.size() == these.size();
}

Var point() { return variable(Tensor::full({3}, DType::kF64, 0.5)); }
Var ones() { return Var(Tensor::full({3}, DType::kF64, 1)); }

TEST(Derivative, WalksNameWhatTheyCompute) {
  const Var x = point();
  Var y;
  EXPECT_TRUE(only(counts_of([&] { y = exp(x) * x; }), {Derivative::kForward}));
  Vars g;
  EXPECT_TRUE(only(counts_of([&] { g = vjp({y}, {ones()}, {x}, Record::kGraph); }), {Derivative::kFirst}));
  EXPECT_TRUE(only(counts_of([&] { jvp({y}, {x}, {ones()}, Record::kValues); }), {Derivative::kTangent}));
  EXPECT_TRUE(only(counts_of([&] { jvp(g, {x}, {ones()}, Record::kValues); }),
                   {Derivative::kTangent, Derivative::kSecond}))
      << "forward over reverse: the tangents of the forward pass, and of the gradient";
  EXPECT_TRUE(only(counts_of([&] { vjp(g, {ones()}, {x}, Record::kValues); }), {Derivative::kFirst, Derivative::kSecond}))
      << "reverse over reverse";
  EXPECT_EQ(current_derivative(), Derivative::kNone);
}

TEST(Derivative, AFusedOpWhoseRuleIsItsReferenceStaysOneDerivative) {
  // The gradient of a tangent of a block has no fused rule: it is that of the reference, whose own walks are part of it.
  const Var x = variable(Tensor::full({1, 2, 4, 4, 1}, DType::kF64, 0.5)),
            w = variable(Tensor::full({1, 3, 3, 1, 2}, DType::kF64, 0.25)),
            beta = variable(Tensor::zeros({1, 2}, DType::kF64));
  const Var p = conv_block(x, w, {}, beta, {}).p;
  const Var along(Tensor::full(w.shape(), DType::kF64, 1));
  const Vars t = jvp({p}, {w}, {along}, Record::kGraph);
  const Counts counts = counts_of([&] { vjp(t, {Var(Tensor::full(p.shape(), DType::kF64, 1))}, {x}, Record::kValues); });
  EXPECT_FALSE(counts.contains(Derivative::kNone));
  EXPECT_FALSE(counts.contains(Derivative::kForward)) << "a reference that a rule runs belongs to the rule";
  EXPECT_TRUE(counts.contains(Derivative::kSecond));
}

}  // namespace
}  // namespace innerloop::autograd
