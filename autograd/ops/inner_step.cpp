#include "autograd/ops/inner_step.h"

#include "autograd/op.h"
#include "autograd/ops/conv_block_kernels.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/head_kernels.h"
#include "autograd/ops/loss.h"
#include "kernels/inner_step.h"

namespace innerloop::autograd {
namespace {

Var moved(const Var& parameter, const Var& gradient, double rate) { return parameter - scale(gradient, rate); }

/// The tangent of a parameter, which a step always writes: zeros where nothing moves it.
Tensor tangent_or_zeros(const Tensor& tangent, const Tensor& primal) {
  return tangent.defined() ? tangent : Tensor::zeros(primal.shape(), primal.dtype());
}

// inputs: GradJvpInput (conv_block_kernels.h), then these. outputs: the tangents of gx?, w', gamma'?, beta'.
enum StepJvpInput : std::size_t { kTBeta = kGradJvpInputs, kBetaOfJvp };

class ConvBlockStepJvp final : public Op {
 public:
  ConvBlockStepJvp(std::shared_ptr<const Op> step, const ConvBlockOptions& options, InputGradient input, double rate)
      : step_(std::move(step)), o_(options), input_(input), rate_(rate) {}
  std::string_view name() const override { return "conv_block_step_jvp"; }

  std::vector<Tensor> forward(std::span<const Tensor> in) const override {
    const Tensor tw = tangent_or_zeros(in[kTW], in[kW]), tbeta = tangent_or_zeros(in[kTBeta], in[kBetaOfJvp]);
    const Tensor tgamma = in[kGamma].defined() ? tangent_or_zeros(in[kTGamma], in[kGamma]) : Tensor();
    Tensor tgx = input_ == InputGradient::kWanted ? like(in[kX]) : Tensor();
    Tensor next_w = like(tw), next_gamma = tgamma.defined() ? like(tgamma) : Tensor(), next_beta = like(tbeta);
    kernels::ConvBlockStepJvp k{gradient_jvp_kernel(o_, in), rate_, tbeta.view()};
    k.grad.tw = tw.view(), k.grad.tgamma = view_or_none(tgamma);
    k.grad.tgx = view_or_none(tgx), k.grad.tgw = next_w.mutable_view();
    k.grad.tggamma = view_or_none(next_gamma), k.grad.tgbeta = next_beta.mutable_view();
    kernels::run(k, Context::current());
    return {tgx, next_w, next_gamma, next_beta};
  }

  Vars reference(const Vars& in) const override {
    Vars primals = primals_of(in), tangents = tangents_of(in);
    primals.push_back(in[kBetaOfJvp]), tangents.push_back(in[kTBeta]);
    Vars out = step_->Op::jvp({primals, {}, {}}, tangents);
    out.resize(4);
    return out;
  }

 private:
  std::shared_ptr<const Op> step_;
  ConvBlockOptions o_;
  InputGradient input_;
  double rate_;
};

// inputs: GradInput (conv_block_kernels.h), then this one. outputs: gx?, w', gamma'?, beta'; ggamma, gbeta (caches).
enum StepInput : std::size_t { kBeta = kGradInputs };

class ConvBlockStep final : public Op, public std::enable_shared_from_this<ConvBlockStep> {
 public:
  ConvBlockStep(const ConvBlockOptions& options, InputGradient input, double rate)
      : o_(options), input_(input), rate_(rate) {}
  std::string_view name() const override { return "conv_block_step"; }

  std::vector<Tensor> forward(std::span<const Tensor> in) const override {
    const Tensor &w = in[kW], &gamma = in[kGamma], &beta = in[kBeta];
    Tensor gx = input_ == InputGradient::kWanted ? like(in[kX]) : Tensor();
    Tensor next_w = like(w), next_gamma = gamma.defined() ? like(gamma) : Tensor(), next_beta = like(beta);
    Tensor ggamma = like(in[kMean]), gbeta = like(in[kMean]);
    kernels::ConvBlockStep k{gradient_kernel(o_, in), rate_, beta.view(), {}, next_beta.mutable_view()};
    k.grad.gx = view_or_none(gx), k.next_gamma = view_or_none(next_gamma);
    k.grad.gw = next_w.mutable_view(), k.grad.ggamma = ggamma.mutable_view(), k.grad.gbeta = gbeta.mutable_view();
    kernels::run(k, Context::current());
    return {gx, next_w, next_gamma, next_beta, ggamma, gbeta};
  }

  Vars reference(const Vars& in) const override {
    const Vars g = conv_block_gradient(o_, input_, primals_of(in));
    return {g[0], moved(in[kW], g[1], rate_), in[kGamma].defined() ? moved(in[kGamma], g[2], rate_) : Var(), moved(in[kBeta], g[3], rate_),
            detach(g[2]), detach(g[3])};
  }

  Vars jvp(const Call& call, const Vars& t) const override {
    Vars inputs = jvp_inputs(call.inputs, call.outputs[4], call.outputs[5], t);
    inputs.push_back(t[kBeta]), inputs.push_back(call.inputs[kBeta]);
    Vars out = apply_op(std::make_shared<ConvBlockStepJvp>(shared_from_this(), o_, input_, rate_), std::move(inputs));
    out.resize(6);
    return out;
  }

  Keep keep() const override { return {.outputs = 0b110000}; }

 private:
  ConvBlockOptions o_;
  InputGradient input_;
  double rate_;
};

// inputs: x, w, bias, prob (a cache); tangents of x, w, bias. outputs: the tangents of gx, w', bias'.
class HeadStepJvp final : public Op {
 public:
  HeadStepJvp(std::shared_ptr<const Op> step, LossReduction reduction, Tensor labels, double rate)
      : step_(std::move(step)), reduction_(reduction), labels_(std::move(labels)), rate_(rate) {}
  std::string_view name() const override { return "head_step_jvp"; }

  std::vector<Tensor> forward(std::span<const Tensor> in) const override {
    const Tensor tw = tangent_or_zeros(in[5], in[1]), tbias = tangent_or_zeros(in[6], in[2]);
    HeadJvpCall call(reduction_, labels_, in);
    call.kernel.tw = tw.view(), call.kernel.tbias = tbias.view();
    kernels::run(kernels::HeadStepJvp{call.kernel, rate_}, Context::current());
    return {call.tgx, call.tgw, call.tgbias};
  }

  Vars reference(const Vars& in) const override {
    const Vars primals(in.begin(), in.begin() + 3);
    Vars out = step_->Op::jvp({primals, {}, {}}, {in[4], in[5], in[6]});
    out.resize(3);
    return out;
  }

 private:
  std::shared_ptr<const Op> step_;
  LossReduction reduction_;
  Tensor labels_;
  double rate_;
};

// inputs: x, w, bias. outputs: gx, w', bias'; prob (a cache), loss (a value).
class HeadStep final : public Op, public std::enable_shared_from_this<HeadStep> {
 public:
  HeadStep(LossReduction reduction, Tensor labels, double rate)
      : reduction_(reduction), labels_(std::move(labels)), rate_(rate) {}
  std::string_view name() const override { return "head_step"; }

  std::vector<Tensor> forward(std::span<const Tensor> in) const override {
    const HeadCall call(reduction_, labels_, in);
    kernels::run(kernels::HeadStep{call.kernel, rate_}, Context::current());
    return {call.gx, call.gw, call.gbias, call.prob, call.loss};
  }

  Vars reference(const Vars& in) const override {
    const HeadLossResult g = head_loss(in[0], in[1], in[2], labels_, reduction_);
    return {g.gx, moved(in[1], g.gw, rate_), moved(in[2], g.gbias, rate_)};
  }

  Vars jvp(const Call& call, const Vars& t) const override {
    const Vars& in = call.inputs;
    Vars out = apply_op(std::make_shared<HeadStepJvp>(shared_from_this(), reduction_, labels_, rate_),
                        {in[0], in[1], in[2], detach(call.outputs[3]), t[0], t[1], t[2]});
    out.resize(5);
    return out;
  }

  Keep keep() const override { return {.outputs = 1u << 3}; }

 private:
  LossReduction reduction_;
  Tensor labels_;
  double rate_;
};

}  // namespace

ConvBlockStepResult conv_block_step(const Var& x, const Var& w, const Var& gamma, const Var& beta, const ConvBlockResult& block,
                                    const Var& gp, const ConvBlockOptions& options, double rate, InputGradient input) {
  const std::int64_t tasks = block.p.shape()[0];
  for (const Var* v : {&x, &w, &gamma, &beta})
    IL_CHECK(!v->defined() || v->shape()[0] == tasks,
             "conv_block_step: an operand {} for {} tasks; every task needs parameters of its own to move",
             v->shape().to_string(), tasks);
  IL_CHECK(gp.shape() == block.p.shape(), "conv_block_step: the cotangent {} for an output {}", gp.shape().to_string(),
           block.p.shape().to_string());
  const Vars out = apply_op(std::make_shared<ConvBlockStep>(options, input, rate),
                            {x, w, gamma, block.map, block.mean, block.rstd, block.choice, gp, block.chosen, beta});
  return {out[0], out[1], out[2], out[3]};
}

HeadStepResult head_step(const Var& x, const Var& w, const Var& bias, const Tensor& labels, LossReduction reduction,
                         double rate) {
  check_head("head_step", x, w, bias, labels);
  const Vars out = apply_op(std::make_shared<HeadStep>(reduction, labels, rate), {x, w, bias});
  return {out[4].value(), out[0], out[1], out[2]};
}

}  // namespace innerloop::autograd
