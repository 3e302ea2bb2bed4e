#include "autograd/ops/loss.h"

#include "autograd/op.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/operands.h"
#include "autograd/ops/reduce.h"

namespace innerloop::autograd {
namespace {

double weight(LossReduction reduction, const Shape& logits) {
  return reduction == LossReduction::kMean ? 1.0 / static_cast<double>(logits[1]) : 1.0;
}

// The tangent of the logits' cotangent, as one kernel; derivatives of it are those of the reference.
class CrossEntropyGradJvp final : public Op {
 public:
  CrossEntropyGradJvp(std::shared_ptr<const Op> grad, LossReduction reduction, Tensor labels)
      : grad_(std::move(grad)), reduction_(reduction), labels_(std::move(labels)) {}
  std::string_view name() const override { return "softmax_cross_entropy_grad_jvp"; }
  // inputs: logits, g, prob (a cache of logits), tlogits, tg
  std::vector<Tensor> forward(std::span<const Tensor> in) const override {
    Tensor out = like(in[0]);
    kernels::run(kernels::SoftmaxCrossEntropyGradJvp{reduction_, in[2].view(), labels_.view(), in[1].view(),
                                                     view_or_none(in[3]), view_or_none(in[4]), out.mutable_view()},
                 Context::current());
    return {out};
  }
  Vars reference(const Vars& in) const override {
    const Vars primals{in[0], in[1], in[2]};
    return grad_->Op::jvp({primals, {}, {}}, {in[3], in[4], Var()});
  }

 private:
  std::shared_ptr<const Op> grad_;
  LossReduction reduction_;
  Tensor labels_;
};

// glogits = g c (softmax(logits) - onehot). prob comes along as a cache: it is softmax(logits) and carries no
// derivative.
class CrossEntropyGrad final : public Op, public std::enable_shared_from_this<CrossEntropyGrad> {
 public:
  CrossEntropyGrad(LossReduction reduction, Tensor labels) : reduction_(reduction), labels_(std::move(labels)) {}
  std::string_view name() const override { return "softmax_cross_entropy_grad"; }
  // inputs: logits, g, prob
  std::vector<Tensor> forward(std::span<const Tensor> in) const override {
    Tensor out = like(in[0]);
    kernels::run(
        kernels::SoftmaxCrossEntropyGrad{reduction_, in[2].view(), labels_.view(), in[1].view(), out.mutable_view()},
        Context::current());
    return {out};
  }
  Vars reference(const Vars& in) const override {
    const Shape& s = in[0].shape();
    const Var onehot = one_hot(labels_, s, in[0].dtype());
    return {reshape(scale(in[1], weight(reduction_, s)), {s[0], 1, 1}) * (softmax(in[0]) - onehot)};
  }
  Vars jvp(const Call& call, const Vars& t) const override {
    const Vars& in = call.inputs;
    return apply_op(std::make_shared<CrossEntropyGradJvp>(shared_from_this(), reduction_, labels_),
                    {in[0], in[1], in[2], t[0], t[1]});
  }

 private:
  LossReduction reduction_;
  Tensor labels_;
};

// loss = c sum (log sum exp(logits) - logits[label]); glogits = CrossEntropyGrad; tloss = <CrossEntropyGrad(1),
// tlogits>.
class CrossEntropy final : public Op {
 public:
  CrossEntropy(LossReduction reduction, Tensor labels) : reduction_(reduction), labels_(std::move(labels)) {}
  std::string_view name() const override { return "softmax_cross_entropy"; }
  std::vector<Tensor> forward(std::span<const Tensor> in) const override {
    const Shape& s = in[0].shape();
    Tensor loss = Tensor::empty({s[0]}, in[0].dtype()), prob = Tensor::empty(s, in[0].dtype());
    kernels::run(kernels::SoftmaxCrossEntropy{reduction_, in[0].view(), labels_.view(), loss.mutable_view(),
                                              prob.mutable_view()},
                 Context::current());
    return {loss, prob};
  }
  Vars vjp(const Call& call, const Vars& gy) const override {
    // prob is a cache for the gradient, never an output of the public op.
    return {gradient(call, gy[0])};
  }
  Vars jvp(const Call& call, const Vars& tx) const override {
    const Var ones = Tensor::full(call.outputs[0].shape(), call.outputs[0].dtype(), 1);
    return {reshape(sum(gradient(call, ones) * tx[0], {1, 2}), call.outputs[0].shape()), Var()};
  }
  Vars reference(const Vars& in) const override {
    const Shape& s = in[0].shape();
    const Var shifted = in[0] - constant_max(in[0], {2});
    const Var log_sum = log(sum(exp(shifted), {2}));
    const Var picked = sum(shifted * Var(one_hot(labels_, s, in[0].dtype())), {2});
    return {reshape(scale(sum(log_sum - picked, {1, 2}), weight(reduction_, s)), {s[0]}), softmax(in[0])};
  }
  Keep keep() const override { return {.outputs = 2}; }

 private:
  Var gradient(const Call& call, const Var& g) const {
    return apply_op_one(std::make_shared<CrossEntropyGrad>(reduction_, labels_),
                        {call.inputs[0], g, detach(call.outputs[1])});
  }
  LossReduction reduction_;
  Tensor labels_;
};

}  // namespace

Tensor one_hot(const Tensor& labels, const Shape& logits, DType dtype) {
  Tensor out = Tensor::empty(logits, dtype);
  kernels::run(kernels::OneHot{.labels = labels.view(), .out = out.mutable_view()}, Context::current());
  return out;
}

void check_labels(const Shape& logits, const Tensor& labels) {
  IL_CHECK(logits.rank() == 3 && labels.dtype() == DType::kI64 && labels.shape() == (Shape{logits[0], logits[1]}),
           "softmax_cross_entropy: logits {} and labels {} ({}); [T, N, C] and i64 [T, N] are needed",
           logits.to_string(), labels.shape().to_string(), name_of(labels.dtype()));
  // On a device nobody waits for the labels to be looked at: there a label outside the range gives a NaN.
  if (labels.device() != nullptr) return;
  for (std::int64_t label : labels.data<std::int64_t>())
    IL_CHECK(label >= 0 && label < logits[2], "softmax_cross_entropy: label {} lies outside [0, {})", label, logits[2]);
}

Var softmax(const Var& logits) {
  IL_CHECK(logits.shape().rank() >= 1 && is_floating(logits.dtype()),
           "softmax: logits of shape {} ({}); f32 or f64 with a last axis to normalise over is needed",
           logits.shape().to_string(), name_of(logits.dtype()));
  const Var e = exp(logits - constant_max(logits, {-1}));
  return e / sum(e, {-1});
}

Var softmax_cross_entropy(const Var& logits, const Tensor& labels, LossReduction reduction) {
  check_labels(logits.shape(), labels);
  return apply_op(std::make_shared<CrossEntropy>(reduction, labels), {logits})[0];
}

Tensor accuracy(const Tensor& logits, const Tensor& labels) {
  check_labels(logits.shape(), labels);
  Tensor out = Tensor::empty({logits.shape()[0]}, DType::kF64);
  kernels::run(kernels::Accuracy{.logits = logits.view(), .labels = labels.view(), .accuracy = out.mutable_view()},
               Context::current());
  return out;
}

}  // namespace innerloop::autograd
