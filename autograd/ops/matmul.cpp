#include "autograd/ops/matmul.h"

#include <algorithm>

#include "autograd/op.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"

namespace innerloop::autograd {
namespace {

constexpr Transpose flip(Transpose t) { return t == Transpose::kNo ? Transpose::kYes : Transpose::kNo; }

/// op(a) op(b), summed over tasks where `tasks` is 1.
Var product(const Var& a, const Var& b, Transpose ta, Transpose tb, std::int64_t tasks);
/// op(a0) op(b0) + op(a1) op(b1) in one kernel; a pair with an undefined operand is left out.
Var dual_product(const Var& a0, const Var& b0, const Var& a1, const Var& b1, Transpose ta, Transpose tb,
                 std::int64_t tasks);

// c = A B with A = op(a), B = op(b):  gA = u B^T,  gB = A^T u,  tc = tA B + A tB; a transposed operand's cotangent is the
// transpose of that, which the same product gives with its operands exchanged.
class MatmulOp final : public Op {
 public:
  MatmulOp(Transpose ta, Transpose tb, std::int64_t tasks) : ta_(ta), tb_(tb), tasks_(tasks) {}
  std::string_view name() const override { return "matmul"; }

  std::vector<Tensor> forward(std::span<const Tensor> in) const override {
    const Shape& a = in[0].shape();
    const Shape& b = in[1].shape();
    Tensor out = Tensor::empty({tasks_, ta_ == Transpose::kNo ? a[1] : a[2], tb_ == Transpose::kNo ? b[2] : b[1]},
                               in[0].dtype());
    const auto operand = [&](std::size_t i) { return i < in.size() ? in[i].view() : ConstView{}; };
    kernels::run(kernels::Matmul{ta_, tb_, {operand(0), operand(2)}, {operand(1), operand(3)}, out.mutable_view()},
                 Context::current());
    return {out};
  }

  Vars vjp(const Call& call, const Vars& u) const override {
    Vars g(call.inputs.size());
    for (std::size_t i = 0; i < g.size(); i += 2) {
      const Var& a = call.inputs[i];
      const Var& b = call.inputs[i + 1];
      if (call.wanted[i])
        g[i] = ta_ == Transpose::kNo ? product(u[0], b, Transpose::kNo, flip(tb_), a.shape()[0])
                                     : product(b, u[0], tb_, Transpose::kYes, a.shape()[0]);
      if (call.wanted[i + 1])
        g[i + 1] = tb_ == Transpose::kNo ? product(a, u[0], flip(ta_), Transpose::kNo, b.shape()[0])
                                         : product(u[0], a, Transpose::kYes, ta_, b.shape()[0]);
    }
    return g;
  }

  Vars jvp(const Call& call, const Vars& t) const override {
    Var total;
    for (std::size_t i = 0; i < call.inputs.size(); i += 2) {
      const Var part = dual_product(t[i], call.inputs[i + 1], call.inputs[i], t[i + 1], ta_, tb_, tasks_);
      if (part.defined()) total = total.defined() ? total + part : part;
    }
    return {total};
  }

 private:
  Transpose ta_, tb_;
  std::int64_t tasks_;
};

Var product(const Var& a, const Var& b, Transpose ta, Transpose tb, std::int64_t tasks) {
  return apply_op_one(std::make_shared<MatmulOp>(ta, tb, tasks), {a, b});
}

Var dual_product(const Var& a0, const Var& b0, const Var& a1, const Var& b1, Transpose ta, Transpose tb,
                 std::int64_t tasks) {
  const bool first = a0.defined() && b0.defined(), second = a1.defined() && b1.defined();
  if (first && second) return apply_op_one(std::make_shared<MatmulOp>(ta, tb, tasks), {a0, b0, a1, b1});
  if (first) return product(a0, b0, ta, tb, tasks);
  if (second) return product(a1, b1, ta, tb, tasks);
  return {};
}

}  // namespace

Var matmul(const Var& a, const Var& b, Transpose ta, Transpose tb) {
  const Shape& sa = a.shape();
  const Shape& sb = b.shape();
  const bool ranks = sa.rank() == 3 && sb.rank() == 3;
  IL_CHECK(ranks && (sa[0] == sb[0] || sa[0] == 1 || sb[0] == 1) &&
               (ta == Transpose::kNo ? sa[2] : sa[1]) == (tb == Transpose::kNo ? sb[1] : sb[2]),
           "matmul: shapes {}{} and {}{} do not fit; [T, M, K] and [T, K, N] are needed", sa.to_string(),
           ta == Transpose::kYes ? " transposed" : "", sb.to_string(), tb == Transpose::kYes ? " transposed" : "");
  IL_CHECK(is_floating(a.dtype()) && a.dtype() == b.dtype(), "matmul: dtypes {} and {} of the shapes {} and {}",
           name_of(a.dtype()), name_of(b.dtype()), sa.to_string(), sb.to_string());
  return product(a, b, ta, tb, std::max(sa[0], sb[0]));
}

Var linear(const Var& x, const Var& w, const Var& bias) {
  IL_CHECK(bias.shape().rank() == 2 && w.shape().rank() == 3 && bias.shape()[1] == w.shape()[2],
           "linear: a bias of shape {} for weights {}; [T, K] is needed", bias.shape().to_string(), w.shape().to_string());
  return matmul(x, w) + reshape(bias, {bias.shape()[0], 1, bias.shape()[1]});
}

}  // namespace innerloop::autograd
