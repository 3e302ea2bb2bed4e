// Steps of a conv block on the device (kernels/inner_step.h): its kernels write the parameters after the step where they have their
// gradients at hand. The libraries' convolutions cannot; with them a step is composed.
#include "kernels/inner_step.h"

#include <optional>

#include "kernels/cuda/block_of_images.h"
#include "kernels/cuda/conv_engine.h"
#include "kernels/cuda/conv_made.h"
#include "kernels/cuda/conv_stages.h"
#include "kernels/temporary.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

Temporary like(const ConstView& v, Context& context) { return {v.shape, v.dtype, context}; }

/// The norm, then `input` and `weight`, or `weight` alone where nobody wants the input's gradient.
template <class Staged, class Norm>
void run_grads(const Norm& norm, const ConvGradsStep& convs, Context& context) {
  const Staged both{norm, convs};
  if (suits_stages(both)) return run(both, context);
  run(norm, context);
  if (convs.grads.input.gx) return run(convs, context);
  run(ConvWeightGradStep{convs.grads.weight, convs.step}, context);
}

void run_here(const ConvBlockStep& k, Context& context) {
  const ConvBlockGrad& g = k.grad;
  const NormStep norm{k.rate, g.gamma, k.beta, k.next_gamma, k.next_beta};
  if (!g.y) {
    check(k);
    return block_of_images(g, {g.w, k.rate}, norm, context);
  }
  if (conv_engine() != ConvEngine::kOwn) return compose(k, context);
  check(k);
  if (run_made(g, {g.w, k.rate}, norm, context)) return;
  const Temporary gy = like(g.y, context);
  run_grads<NormConvGrads>(NormGradStep{norm_of(g, gy.view()), norm}, {convolutions_of(g, gy.view()), {g.w, k.rate}}, context);
}

void run_here(const ConvBlockStepJvp& k, Context& context) {
  const ConvBlockGradJvp& g = k.grad;
  const NormStep norm{k.rate, g.tgamma, k.tbeta, g.tggamma, g.tgbeta};
  if (!g.y) {
    check(k);
    ConvBlockGradJvp alone = g;
    alone.tggamma = alone.tgbeta = {};
    return block_of_images(alone, {g.tw, k.rate}, norm, context);
  }
  if (conv_engine() != ConvEngine::kOwn) return compose(k, context);
  check(k);
  if (run_made(g, {g.tw, k.rate}, norm, context)) return;
  // gy again, for the second pairs alone.
  std::optional<Temporary> gy;
  if (wants_gy(g)) gy.emplace(g.y.shape, g.y.dtype, context);
  const Temporary tgy = like(g.y, context);
  const View again = gy ? gy->view() : View{};
  NormReluPoolGradJvp both = norm_of(g, again, tgy.view());
  both.tggamma = both.tgbeta = {};  // the step takes their place
  run_grads<NormConvGradsJvp>(NormGradJvpStep{both, norm}, {convolutions_of(g, again, tgy.view()), {g.tw, k.rate}}, context);
}

IL_REGISTER_KERNEL(ConvBlockStep);
IL_REGISTER_KERNEL(ConvBlockStepJvp);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
