#include "autograd/ops/reduce.h"

#include "autograd/op.h"
#include "autograd/ops/elementwise.h"
#include "kernels/elementwise.h"
#include "kernels/reduce.h"

namespace innerloop::autograd {
namespace {

/// `shape` with leading extents of 1 up to `rank` axes.
Shape with_rank(const Shape& shape, int rank) {
  Shape out;
  for (int i = shape.rank(); i < rank; ++i) out = out.append(1);
  for (int i = 0; i < shape.rank(); ++i) out = out.append(shape[i]);
  return out;
}

Var sum_scaled(const Var& x, const Shape& shape, double factor);
Var broadcast_scaled(const Var& x, const Shape& shape, double factor);

// y = factor * x summed over the axes where `shape` has extent 1; gx = factor * broadcast(gy); ty = the same sum of tx.
class SumTo final : public Op {
 public:
  SumTo(const Shape& shape, double factor) : shape_(shape), factor_(factor) {}
  std::string_view name() const override { return "sum_to"; }
  std::vector<Tensor> forward(std::span<const Tensor> in) const override {
    Tensor y = Tensor::empty(with_rank(shape_, in[0].shape().rank()), in[0].dtype());
    kernels::run(kernels::ReduceSum{in[0].view(), y.mutable_view(), factor_}, Context::current());
    return {y.reshape(shape_)};
  }
  Vars vjp(const Call& call, const Vars& gy) const override { return {broadcast_scaled(gy[0], call.inputs[0].shape(), factor_)}; }
  Vars jvp(const Call&, const Vars& tx) const override { return {sum_scaled(tx[0], shape_, factor_)}; }
  Keep keep() const override { return {.inputs = 0}; }

 private:
  Shape shape_;
  double factor_;
};

// y = factor * x repeated; gx = factor * sum_to(gy); ty = the same broadcast of tx.
class BroadcastToOp final : public Op {
 public:
  BroadcastToOp(const Shape& shape, double factor) : shape_(shape), factor_(factor) {}
  std::string_view name() const override { return "broadcast_to"; }
  std::vector<Tensor> forward(std::span<const Tensor> in) const override {
    Tensor y = Tensor::empty(shape_, in[0].dtype());
    kernels::run(kernels::BroadcastTo{in[0].view(), y.mutable_view(), factor_}, Context::current());
    return {y};
  }
  Vars vjp(const Call& call, const Vars& gy) const override { return {sum_scaled(gy[0], call.inputs[0].shape(), factor_)}; }
  Vars jvp(const Call&, const Vars& tx) const override { return {broadcast_scaled(tx[0], shape_, factor_)}; }
  Keep keep() const override { return {.inputs = 0}; }

 private:
  Shape shape_;
  double factor_;
};

Var sum_scaled(const Var& x, const Shape& shape, double factor) {
  IL_CHECK(shape.rank() <= x.shape().rank() && broadcast(x.shape(), shape, "sum_to") == x.shape(),
           "sum_to: {} is not a broadcast of {}", x.shape().to_string(), shape.to_string());
  if (x.shape() == shape) return factor == 1 ? x : scale(x, factor);
  return apply_op_one(std::make_shared<SumTo>(shape, factor), {x});
}

Var broadcast_scaled(const Var& x, const Shape& shape, double factor) {
  IL_CHECK(x.shape().rank() <= shape.rank() && broadcast(x.shape(), shape, "broadcast_to") == shape,
           "broadcast_to: {} does not broadcast to {}", x.shape().to_string(), shape.to_string());
  if (x.shape() == shape) return factor == 1 ? x : scale(x, factor);
  return apply_op_one(std::make_shared<BroadcastToOp>(shape, factor), {x});
}

// y = x under another shape; gx, ty likewise.
class Reshape final : public Op {
 public:
  explicit Reshape(const Shape& shape) : shape_(shape) {}
  std::string_view name() const override { return "reshape"; }
  std::vector<Tensor> forward(std::span<const Tensor> in) const override { return {in[0].reshape(shape_)}; }
  Vars vjp(const Call& call, const Vars& gy) const override { return {reshape(gy[0], call.inputs[0].shape())}; }
  Vars jvp(const Call&, const Vars& tx) const override { return {reshape(tx[0], shape_)}; }
  Keep keep() const override { return {.inputs = 0}; }

 private:
  Shape shape_;
};

Shape reduced(const char* op, const Var& x, std::initializer_list<int> axes) {
  Shape shape = x.shape();
  for (int axis : axes) {
    IL_CHECK(axis >= -shape.rank() && axis < shape.rank(), "{}: axis {} of the shape {}", op, axis,
             x.shape().to_string());
    shape = shape.with(axis, 1);
  }
  return shape;
}

}  // namespace

Var sum(const Var& x, std::initializer_list<int> axes) { return sum_to(x, reduced("sum", x, axes)); }

Var sum_all(const Var& x) { return sum_to(x, Shape{}); }

Var mean(const Var& x, std::initializer_list<int> axes) {
  const Shape shape = reduced("mean", x, axes);
  return sum_scaled(x, shape, static_cast<double>(shape.numel()) / static_cast<double>(x.shape().numel()));
}

Var sum_to(const Var& x, const Shape& shape) { return sum_scaled(x, shape, 1); }

Var broadcast_to(const Var& x, const Shape& shape) { return broadcast_scaled(x, shape, 1); }

Var reshape(const Var& x, const Shape& shape) {
  IL_CHECK(x.shape().numel() == shape.numel(), "reshape: {} does not fit {}", x.shape().to_string(), shape.to_string());
  return x.shape() == shape ? x : apply_op_one(std::make_shared<Reshape>(shape), {x});
}

Var constant_max(const Var& x, std::initializer_list<int> axes) {
  Tensor y = Tensor::empty(reduced("constant_max", x, axes), x.dtype());
  kernels::run(kernels::ReduceMax{x.value().view(), y.mutable_view()}, Context::current());
  return y;
}

}  // namespace innerloop::autograd
