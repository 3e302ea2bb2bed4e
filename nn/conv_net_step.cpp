#include "autograd/op.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/inner_step.h"
#include "nn/conv_net.h"

namespace innerloop::nn {

ParameterStep ConvNet::step(const Vars& params, const Images& x, const Tensor& labels, autograd::LossReduction reduction,
                            double rate, autograd::Record record) const {
  if (options_.form == BlockForm::kReference) {
    const LossGradient g = loss_gradient(params, x, labels, reduction, record);
    const autograd::RecordScope scope(record == autograd::Record::kGraph);
    ParameterStep result{g.loss, {}};
    for (std::size_t i = 0; i < params.size(); ++i) result.next.push_back(params[i] - autograd::scale(g.gradient[i], rate));
    return result;
  }

  const std::vector<autograd::ConvBlockResult> results = block_results(params, x);
  const Var& p = results.back().p;
  Var at_head;
  autograd::HeadStepResult head;
  {
    const autograd::LayerScope layer("head");
    at_head = features(p);
    const autograd::RecordScope scope(record == autograd::Record::kGraph);
    head = autograd::head_step(at_head, params[params.size() - 2], params.back(), labels, reduction, rate);
  }

  // The reverse walk by hand, from the head down: it is a chain, and each block is left with its parameters moved.
  Var gp = autograd::vjp({at_head}, {head.gx}, {p}, record)[0];
  const autograd::RecordScope scope(record == autograd::Record::kGraph);
  const autograd::DerivativeScope derivative(autograd::Derivative::kFirst);
  ParameterStep result{head.loss, Vars(params.size())};
  for (std::size_t i = blocks_.size(); i-- > 0;) {
    const Block& b = blocks_[i];
    const autograd::LayerScope layer(b.name.c_str());
    const autograd::ConvBlockStepResult moved = autograd::conv_block_step(
        i == 0 ? x.x : results[i - 1].p, params[b.weight], scale_of(params, b), params[b.shift], results[i], gp, b.options, rate,
        i == 0 ? autograd::InputGradient::kUnwanted : autograd::InputGradient::kWanted);
    result.next[b.weight] = moved.w;
    if (moved.gamma.defined()) result.next[b.scale] = moved.gamma;
    result.next[b.shift] = moved.beta;
    gp = moved.gx;
  }
  result.next[params.size() - 2] = head.w;
  result.next[params.size() - 1] = head.bias;
  return result;
}

}  // namespace innerloop::nn
