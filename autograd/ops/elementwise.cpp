#include "autograd/ops/elementwise.h"

#include "autograd/op.h"
#include "autograd/ops/operands.h"
#include "autograd/ops/reduce.h"
#include "kernels/elementwise.h"

namespace innerloop::autograd {
namespace {

using kernels::BinaryFn;
using kernels::UnaryFn;

void check_floating(std::string_view op, const Var& x) {
  IL_CHECK(x.defined(), "{}: an operand is undefined", op);
  IL_CHECK(is_floating(x.dtype()), "{}: {} of shape {} is not a floating type", op, name_of(x.dtype()),
           x.shape().to_string());
}

// --- one operand: y = f(x); gy and tx are both multiplied by f'(x) -----------------------------------------------------------

std::string_view name_of_fn(UnaryFn fn) {
  switch (fn) {
    case UnaryFn::kNegate: return "negate";
    case UnaryFn::kExp: return "exp";
    case UnaryFn::kLog: return "log";
    case UnaryFn::kSqrt: return "sqrt";
    case UnaryFn::kRsqrt: return "rsqrt";
    case UnaryFn::kReciprocal: return "reciprocal";
    case UnaryFn::kSquare: return "square";
    case UnaryFn::kRelu: return "relu";
    case UnaryFn::kStep: return "step";
    case UnaryFn::kTanh: return "tanh";
    case UnaryFn::kSigmoid: return "sigmoid";
  }
  return "unary";
}

/// Whether f' is written in terms of the output.
bool derivative_reads_output(UnaryFn fn) {
  return fn == UnaryFn::kExp || fn == UnaryFn::kSqrt || fn == UnaryFn::kRsqrt || fn == UnaryFn::kReciprocal ||
         fn == UnaryFn::kTanh || fn == UnaryFn::kSigmoid;
}

class UnaryOp final : public Op {
 public:
  explicit UnaryOp(UnaryFn fn) : fn_(fn) {}
  std::string_view name() const override { return name_of_fn(fn_); }
  std::vector<Tensor> forward(std::span<const Tensor> in) const override {
    Tensor y = like(in[0]);
    kernels::run(kernels::Unary{fn_, in[0].view(), y.mutable_view()}, Context::current());
    return {y};
  }
  Vars vjp(const Call& call, const Vars& gy) const override { return {times_derivative(call, gy[0])}; }
  Vars jvp(const Call& call, const Vars& tx) const override { return {times_derivative(call, tx[0])}; }
  Keep keep() const override {
    if (fn_ == UnaryFn::kNegate || fn_ == UnaryFn::kStep) return {.inputs = 0};
    return derivative_reads_output(fn_) ? Keep{.inputs = 0, .outputs = 1} : Keep{};
  }

 private:
  Var times_derivative(const Call& call, const Var& u) const {
    const Var& x = call.inputs[0];
    const Var& y = call.outputs[0];
    switch (fn_) {
      case UnaryFn::kNegate: return negate(u);
      case UnaryFn::kExp: return u * y;
      case UnaryFn::kLog: return u / x;
      case UnaryFn::kSqrt: return scale(u / y, 0.5);
      case UnaryFn::kRsqrt: return scale(u * (y * square(y)), -0.5);
      case UnaryFn::kReciprocal: return negate(u * square(y));
      case UnaryFn::kSquare: return scale(u * x, 2);
      case UnaryFn::kRelu: return u * step(x);
      case UnaryFn::kStep: return {};
      case UnaryFn::kTanh: return u * affine(square(y), -1, 1);
      case UnaryFn::kSigmoid: return u * (y - square(y));
    }
    return {};
  }

  UnaryFn fn_;
};

Var unary(UnaryFn fn, const Var& x) {
  check_floating(name_of_fn(fn), x);
  return apply_op_one(std::make_shared<UnaryOp>(fn), {x});
}

// --- scale and offset ---------------------------------------------------------------------------------------------------------

// y = s x + o; gx = s gy; ty = s tx.
class AffineOp final : public Op {
 public:
  AffineOp(double scale, double offset) : scale_(scale), offset_(offset) {}
  std::string_view name() const override { return "affine"; }
  std::vector<Tensor> forward(std::span<const Tensor> in) const override {
    Tensor y = like(in[0]);
    kernels::run(kernels::Affine{scale_, offset_, in[0].view(), y.mutable_view()}, Context::current());
    return {y};
  }
  Vars vjp(const Call&, const Vars& gy) const override { return {affine(gy[0], scale_, 0)}; }
  Vars jvp(const Call&, const Vars& tx) const override { return {affine(tx[0], scale_, 0)}; }
  Keep keep() const override { return {.inputs = 0}; }

 private:
  double scale_, offset_;
};

// --- two operands -------------------------------------------------------------------------------------------------------------

std::string_view name_of_fn(BinaryFn fn) {
  switch (fn) {
    case BinaryFn::kAdd: return "add";
    case BinaryFn::kSubtract: return "subtract";
    case BinaryFn::kMultiply: return "multiply";
    case BinaryFn::kDivide: return "divide";
  }
  return "binary";
}

// y = f(a, b): ga = gy df/da, gb = gy df/db, ty = ta df/da + tb df/db, with
//   add 1, 1    subtract 1, -1    multiply b, a    divide 1/b, -y/b
class BinaryOp final : public Op {
 public:
  explicit BinaryOp(BinaryFn fn) : fn_(fn) {}
  std::string_view name() const override { return name_of_fn(fn_); }
  std::vector<Tensor> forward(std::span<const Tensor> in) const override {
    Tensor y = Tensor::empty(broadcast(in[0].shape(), in[1].shape(), name_of_fn(fn_).data()), in[0].dtype());
    kernels::run(kernels::Binary{fn_, in[0].view(), in[1].view(), y.mutable_view()}, Context::current());
    return {y};
  }
  Vars vjp(const Call& call, const Vars& gy) const override {
    Vars g(2);
    for (int side = 0; side < 2; ++side) {
      const auto i = static_cast<std::size_t>(side);
      if (call.wanted[i]) g[i] = sum_to(times_derivative(call, gy[0], side), call.inputs[i].shape());
    }
    return g;
  }
  Vars jvp(const Call& call, const Vars& t) const override {
    Var ty;
    for (int side = 0; side < 2; ++side) {
      const Var& u = t[static_cast<std::size_t>(side)];
      if (!u.defined()) continue;
      const Var term = broadcast_to(times_derivative(call, u, side), call.outputs[0].shape());
      ty = ty.defined() ? ty + term : term;
    }
    return {ty};
  }
  Keep keep() const override {
    switch (fn_) {
      case BinaryFn::kAdd:
      case BinaryFn::kSubtract: return {.inputs = 0};
      case BinaryFn::kMultiply: return {};
      case BinaryFn::kDivide: return {.inputs = 2, .outputs = 1};
    }
    return {};
  }

 private:
  Var times_derivative(const Call& call, const Var& u, int side) const {
    switch (fn_) {
      case BinaryFn::kAdd: return u;
      case BinaryFn::kSubtract: return side == 0 ? u : negate(u);
      case BinaryFn::kMultiply: return u * call.inputs[side == 0 ? 1 : 0];
      case BinaryFn::kDivide: {
        const Var over_b = u / call.inputs[1];
        return side == 0 ? over_b : negate(over_b * call.outputs[0]);
      }
    }
    return {};
  }

  BinaryFn fn_;
};

Var binary(BinaryFn fn, const Var& a, const Var& b) {
  check_floating(name_of_fn(fn), a);
  check_floating(name_of_fn(fn), b);
  IL_CHECK(a.dtype() == b.dtype(), "{}: dtypes {} and {} of the shapes {} and {} differ", name_of_fn(fn),
           name_of(a.dtype()), name_of(b.dtype()), a.shape().to_string(), b.shape().to_string());
  return apply_op_one(std::make_shared<BinaryOp>(fn), {a, b});
}

}  // namespace

Var add(const Var& a, const Var& b) { return binary(BinaryFn::kAdd, a, b); }
Var subtract(const Var& a, const Var& b) { return binary(BinaryFn::kSubtract, a, b); }
Var multiply(const Var& a, const Var& b) { return binary(BinaryFn::kMultiply, a, b); }
Var divide(const Var& a, const Var& b) { return binary(BinaryFn::kDivide, a, b); }

Var affine(const Var& x, double scale, double offset) {
  check_floating("affine", x);
  return apply_op_one(std::make_shared<AffineOp>(scale, offset), {x});
}

Var negate(const Var& x) { return unary(UnaryFn::kNegate, x); }
Var exp(const Var& x) { return unary(UnaryFn::kExp, x); }
Var log(const Var& x) { return unary(UnaryFn::kLog, x); }
Var sqrt(const Var& x) { return unary(UnaryFn::kSqrt, x); }
Var rsqrt(const Var& x) { return unary(UnaryFn::kRsqrt, x); }
Var reciprocal(const Var& x) { return unary(UnaryFn::kReciprocal, x); }
Var square(const Var& x) { return unary(UnaryFn::kSquare, x); }
Var relu(const Var& x) { return unary(UnaryFn::kRelu, x); }
Var step(const Var& x) { return unary(UnaryFn::kStep, x); }
Var tanh(const Var& x) { return unary(UnaryFn::kTanh, x); }
Var sigmoid(const Var& x) { return unary(UnaryFn::kSigmoid, x); }

}  // namespace innerloop::autograd
