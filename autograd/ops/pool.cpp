#include "autograd/ops/pool.h"

#include "autograd/op.h"
#include "autograd/ops/reduce.h"

namespace innerloop::autograd {
namespace {

Shape pooled_shape(const char* op, const Shape& x, const PoolGeometry& g) {
  IL_CHECK(x.rank() == 5 && g.window_h >= 1 && g.window_w >= 1 && g.stride_h >= 1 && g.stride_w >= 1 &&
               x[2] >= g.window_h && x[3] >= g.window_w,
           "{}: windows of {}x{} with strides {}x{} over the shape {}; [T, N, H, W, C] with H, W at least the window is "
           "needed",
           op, g.window_h, g.window_w, g.stride_h, g.stride_w, x.to_string());
  return x.with(2, (x[2] - g.window_h) / g.stride_h + 1).with(3, (x[3] - g.window_w) / g.stride_w + 1);
}

// y = x at the maxima; gx = scatter(gy); ty = gather(tx).
class MaxPoolOp final : public Op {
 public:
  explicit MaxPoolOp(const PoolGeometry& g) : g_(g) {}
  std::string_view name() const override { return "max_pool"; }
  std::vector<Tensor> forward(std::span<const Tensor> in) const override {
    const Shape out = pooled_shape("max_pool", in[0].shape(), g_);
    Tensor y = Tensor::empty(out, in[0].dtype()), choice = Tensor::empty(out, DType::kI32);
    kernels::run(kernels::MaxPool{g_, in[0].view(), y.mutable_view(), choice.mutable_view()}, Context::current());
    return {y, choice};
  }
  Vars vjp(const Call& call, const Vars& gy) const override {
    return {pool_scatter(gy[0], call.outputs[1].value(), call.inputs[0].shape(), g_)};
  }
  Vars jvp(const Call& call, const Vars& tx) const override {
    return {pool_gather(tx[0], call.outputs[1].value(), g_), Var()};
  }
  Keep keep() const override { return {.inputs = 0, .outputs = 2}; }

 private:
  PoolGeometry g_;
};

// y = x at given places; gx = scatter(gy); ty = gather(tx).
class PoolGatherOp final : public Op {
 public:
  PoolGatherOp(Tensor choice, const PoolGeometry& g) : choice_(std::move(choice)), g_(g) {}
  std::string_view name() const override { return "pool_gather"; }
  std::vector<Tensor> forward(std::span<const Tensor> in) const override {
    Tensor y = Tensor::empty(choice_.shape(), in[0].dtype());
    kernels::run(kernels::PoolGather{g_, in[0].view(), choice_.view(), y.mutable_view()}, Context::current());
    return {y};
  }
  Vars vjp(const Call& call, const Vars& gy) const override {
    return {pool_scatter(gy[0], choice_, call.inputs[0].shape(), g_)};
  }
  Vars jvp(const Call&, const Vars& tx) const override { return {pool_gather(tx[0], choice_, g_)}; }
  Keep keep() const override { return {.inputs = 0}; }

 private:
  Tensor choice_;
  PoolGeometry g_;
};

// gx = gy at given places, zero elsewhere; the cotangent of gy = gather(u); the tangent = scatter(tgy).
class PoolScatterOp final : public Op {
 public:
  PoolScatterOp(Tensor choice, const Shape& x, const PoolGeometry& g) : choice_(std::move(choice)), x_(x), g_(g) {}
  std::string_view name() const override { return "pool_scatter"; }
  std::vector<Tensor> forward(std::span<const Tensor> in) const override {
    Tensor gx = Tensor::empty(x_, in[0].dtype());
    kernels::run(kernels::PoolScatter{g_, in[0].view(), choice_.view(), gx.mutable_view()}, Context::current());
    return {gx};
  }
  Vars vjp(const Call&, const Vars& u) const override { return {pool_gather(u[0], choice_, g_)}; }
  Vars jvp(const Call&, const Vars& t) const override { return {pool_scatter(t[0], choice_, x_, g_)}; }
  Keep keep() const override { return {.inputs = 0}; }

 private:
  Tensor choice_;
  Shape x_;
  PoolGeometry g_;
};

// y = window means; gx = its adjoint; both linear.
class AveragePoolOp final : public Op {
 public:
  explicit AveragePoolOp(const PoolGeometry& g) : g_(g) {}
  std::string_view name() const override { return "average_pool"; }
  std::vector<Tensor> forward(std::span<const Tensor> in) const override {
    Tensor y = Tensor::empty(pooled_shape("average_pool", in[0].shape(), g_), in[0].dtype());
    kernels::run(kernels::AveragePool{g_, in[0].view(), y.mutable_view()}, Context::current());
    return {y};
  }
  Vars vjp(const Call& call, const Vars& gy) const override {
    return {average_pool_grad(gy[0], call.inputs[0].shape(), g_)};
  }
  Vars jvp(const Call&, const Vars& tx) const override { return {average_pool(tx[0], g_)}; }
  Keep keep() const override { return {.inputs = 0}; }

 private:
  PoolGeometry g_;
};

class AveragePoolGradOp final : public Op {
 public:
  AveragePoolGradOp(const Shape& x, const PoolGeometry& g) : x_(x), g_(g) {}
  std::string_view name() const override { return "average_pool_grad"; }
  std::vector<Tensor> forward(std::span<const Tensor> in) const override {
    Tensor gx = Tensor::empty(x_, in[0].dtype());
    kernels::run(kernels::AveragePoolGrad{g_, in[0].view(), gx.mutable_view()}, Context::current());
    return {gx};
  }
  Vars vjp(const Call&, const Vars& u) const override { return {average_pool(u[0], g_)}; }
  Vars jvp(const Call&, const Vars& t) const override { return {average_pool_grad(t[0], x_, g_)}; }
  Keep keep() const override { return {.inputs = 0}; }

 private:
  Shape x_;
  PoolGeometry g_;
};

}  // namespace

Var max_pool(const Var& x, const PoolGeometry& geometry) { return max_pool_with_choice(x, geometry)[0]; }

Vars max_pool_with_choice(const Var& x, const PoolGeometry& geometry) {
  return apply_op(std::make_shared<MaxPoolOp>(geometry), {x});
}

Var pool_gather(const Var& x, const Tensor& choice, const PoolGeometry& geometry) {
  IL_CHECK(pooled_shape("pool_gather", x.shape(), geometry) == choice.shape(), "pool_gather: decisions {} for the shape {}",
           choice.shape().to_string(), x.shape().to_string());
  return apply_op_one(std::make_shared<PoolGatherOp>(choice, geometry), {x});
}

Var pool_scatter(const Var& gy, const Tensor& choice, const Shape& x, const PoolGeometry& geometry) {
  IL_CHECK(gy.shape() == choice.shape() && pooled_shape("pool_scatter", x, geometry) == choice.shape(),
           "pool_scatter: cotangent {} and decisions {} for the shape {}", gy.shape().to_string(),
           choice.shape().to_string(), x.to_string());
  return apply_op_one(std::make_shared<PoolScatterOp>(choice, x, geometry), {gy});
}

Var average_pool(const Var& x, const PoolGeometry& geometry) {
  return apply_op_one(std::make_shared<AveragePoolOp>(geometry), {x});
}

Var average_pool_grad(const Var& gy, const Shape& x, const PoolGeometry& geometry) {
  IL_CHECK(pooled_shape("average_pool_grad", x, geometry) == gy.shape(), "average_pool_grad: cotangent {} for the shape {}",
           gy.shape().to_string(), x.to_string());
  return apply_op_one(std::make_shared<AveragePoolGradOp>(x, geometry), {gy});
}

Var global_average_pool(const Var& x) {
  IL_CHECK(x.shape().rank() == 5, "global_average_pool: shape {}; [T, N, H, W, C] is needed", x.shape().to_string());
  return reshape(mean(x, {2, 3}), {x.shape()[0], x.shape()[1], x.shape()[4]});
}

}  // namespace innerloop::autograd
