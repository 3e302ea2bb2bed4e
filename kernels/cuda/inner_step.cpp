// Steps of a conv block on the device (kernels/inner_step.h): its kernels write the parameters after the step where they have their
// gradients at hand. The libraries' convolutions cannot; with them a step is composed.
#include "kernels/inner_step.h"

#include <optional>

#include "kernels/cuda/block_of_images.h"
#include "kernels/cuda/conv_engine.h"
#include "kernels/cuda/conv_made.h"
#include "kernels/cuda/conv_step.h"
#include "kernels/cuda/norm_step.h"
#include "kernels/temporary.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

Temporary like(const ConstView& v, Context& context) { return {v.shape, v.dtype, context}; }

/// `input` and `weight`, or `weight` alone where nobody wants the input's gradient.
void run_convolutions(const ConvInputGrad& input, const ConvWeightGrad& weight, const WeightStep& step, Context& context) {
  if (input.gx) {
    run(ConvGradsStep{{input, weight}, step}, context);
  } else {
    run(ConvWeightGradStep{weight, step}, context);
  }
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
  run(NormGradStep{norm_of(g, gy.view()), norm}, context);
  run_convolutions({g.geometry, {gy.view(), {}}, {g.w, {}}, g.gx}, {g.geometry, {g.x, {}}, {gy.view(), {}}, g.gw},
                   {g.w, k.rate}, context);
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
  const bool second_w = static_cast<bool>(g.tgx), second_x = static_cast<bool>(g.tx);
  // gy again, for the second pairs alone.
  std::optional<Temporary> gy;
  if (second_w || second_x) gy.emplace(g.y.shape, g.y.dtype, context);
  const Temporary tgy = like(g.y, context);
  const ConstView again = gy ? ConstView(gy->view()) : ConstView{};
  NormReluPoolGradJvp both = norm_of(g, gy ? gy->view() : View{}, tgy.view());
  both.tggamma = both.tgbeta = {};  // the step takes their place
  run(NormGradJvpStep{both, norm}, context);
  run_convolutions({g.geometry, {tgy.view(), again}, {g.w, g.tw}, g.tgx},
                   {g.geometry, {g.x, g.tx}, {tgy.view(), second_x ? again : ConstView{}}, g.tgw}, {g.tw, k.rate}, context);
}

IL_REGISTER_KERNEL(ConvBlockStep);
IL_REGISTER_KERNEL(ConvBlockStepJvp);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
