#include "autograd/ops/head.h"

#include "autograd/op.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/head_kernels.h"
#include "autograd/ops/loss.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"

namespace innerloop::autograd {
namespace {

// inputs: x, w, bias, prob (a cache); tangents of x, w, bias. outputs: tangents of gx, gw, gbias.
class HeadLossJvp final : public Op {
 public:
  HeadLossJvp(std::shared_ptr<const Op> forward, LossReduction reduction, Tensor labels)
      : forward_(std::move(forward)), reduction_(reduction), labels_(std::move(labels)) {}
  std::string_view name() const override { return "head_loss_jvp"; }

  std::vector<Tensor> forward(std::span<const Tensor> in) const override {
    const HeadJvpCall call(reduction_, labels_, in);
    kernels::run(call.kernel, Context::current());
    return {call.tgx, call.tgw, call.tgbias};
  }

  Vars reference(const Vars& in) const override {
    const Vars primals(in.begin(), in.begin() + 3);
    Vars out = forward_->Op::jvp({primals, {}, {}}, {in[4], in[5], in[6]});
    out.resize(3);
    return out;
  }

 private:
  std::shared_ptr<const Op> forward_;
  LossReduction reduction_;
  Tensor labels_;
};

// outputs: gx, gw, gbias, prob (a cache), loss and accuracy (values).
class HeadLoss final : public Op, public std::enable_shared_from_this<HeadLoss> {
 public:
  HeadLoss(LossReduction reduction, Tensor labels, HeadFigures figures)
      : reduction_(reduction), labels_(std::move(labels)), figures_(figures) {}
  std::string_view name() const override { return "head_loss"; }

  std::vector<Tensor> forward(std::span<const Tensor> in) const override {
    HeadCall call(reduction_, labels_, in);
    Tensor accuracy;
    if (figures_ == HeadFigures::kLossAndAccuracy) accuracy = Tensor::empty(call.loss.shape(), DType::kF64);
    call.kernel.accuracy = view_or_none(accuracy);
    kernels::run(call.kernel, Context::current());
    return {call.gx, call.gw, call.gbias, call.prob, call.loss, accuracy};
  }

  Vars reference(const Vars& in) const override {
    const Var &x = in[0], &w = in[1], &bias = in[2];
    const Var logits = linear(x, w, bias);
    const Shape& s = logits.shape();
    const double weight = reduction_ == LossReduction::kMean ? 1.0 / static_cast<double>(s[1]) : 1.0;
    const Var d = scale(softmax(logits) - Var(one_hot(labels_, s, logits.dtype())), weight);
    return {matmul(d, w, Transpose::kNo, Transpose::kYes), matmul(x, d, Transpose::kYes, Transpose::kNo),
            reshape(sum(d, {1}), bias.shape())};
  }

  Vars jvp(const Call& call, const Vars& t) const override {
    const Vars& in = call.inputs;
    Vars tangents = apply_op(std::make_shared<HeadLossJvp>(shared_from_this(), reduction_, labels_),
                             {in[0], in[1], in[2], detach(call.outputs[3]), t[0], t[1], t[2]});
    tangents.resize(6);
    return tangents;
  }

  Keep keep() const override { return {.outputs = 1u << 3}; }

 private:
  LossReduction reduction_;
  Tensor labels_;
  HeadFigures figures_;
};

}  // namespace

void check_head(std::string_view op, const Var& x, const Var& w, const Var& bias, const Tensor& labels) {
  const Shape &sx = x.shape(), &sw = w.shape(), &sb = bias.shape();
  IL_CHECK(sx.rank() == 3 && sw.rank() == 3 && sb == (Shape{sx[0], sw[2]}) && sx[0] == sw[0] && sx[2] == sw[1],
           "{}: features {}, weights {} and bias {}; [T, N, F], [T, F, C] and [T, C] are needed", op, sx.to_string(),
           sw.to_string(), sb.to_string());
  for (const Var* v : {&w, &bias})
    IL_CHECK(is_floating(x.dtype()) && v->dtype() == x.dtype(),
             "{}: an operand of shape {} is {} where the features are {}; all must be f32 or all f64", op,
             v->shape().to_string(), name_of(v->dtype()), name_of(x.dtype()));
  check_labels({sx[0], sx[1], sw[2]}, labels);
}

HeadLossResult head_loss(const Var& x, const Var& w, const Var& bias, const Tensor& labels, LossReduction reduction,
                         HeadFigures figures) {
  check_head("head_loss", x, w, bias, labels);
  const Vars out = apply_op(std::make_shared<HeadLoss>(reduction, labels, figures), {x, w, bias});
  return {out[4].value(), out[0], out[1], out[2], out[5].defined() ? out[5].value() : Tensor()};
}

}  // namespace innerloop::autograd
