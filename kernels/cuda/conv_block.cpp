// The conv block on the GPU (kernels/conv_block.h). Our own convolutions leave the sums that the norm needs (conv_moments.h), so
// that it reads y, and ty, for its outputs alone, and by tiles of an image what it would read there, too. A block of images has
// kernels of its own (block_of_images.h).
#include <optional>

#include "kernels/cuda/block_of_images.h"
#include "kernels/cuda/conv_engine.h"
#include "kernels/cuda/conv_made.h"
#include "kernels/cuda/conv_moments.h"
#include "kernels/tangent_convolution.h"
#include "kernels/temporary.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

/// The moments that the convolution is to leave. Wherever it can: with two or three lines in the place of 64, the norm's first pass asks
/// for fewer sectors on maps of any size, those that one block of it reads from cache the second time included, and there are as many
/// launches.
MomentUnits units_wanted(const ConvForward& conv) {
  return conv_engine() == ConvEngine::kOwn ? moment_units(conv, conv_math()) : MomentUnits{};
}

Temporary moments_of(const ConvForward& conv, const MomentUnits& units, std::int64_t lines, Context& context) {
  const Shape& y = conv.y.shape;
  return {Shape({y[0], units.count, lines, y[4]}), conv.y.dtype, context};
}

}  // namespace

void run_here(const ConvBlockForward& k, Context& context) {
  if (!k.y) return block_of_images(k, context);
  const ConvForward conv{k.geometry, {k.x, {}}, {k.w, {}}, k.y};
  const MomentUnits units = units_wanted(conv);
  if (units.count == 0) return compose(k, context);
  const Temporary moments = moments_of(conv, units, kOutputMoments, context);
  const View& kept = k.chosen ? k.chosen : k.p;  // in place where nobody keeps them
  const bool picked = leaves_picks(conv, units.unit, k.pool, kept, k.choice) && leaves_picks(conv, units.unit, k.pool, k.p, k.choice);
  const View picks = picked ? kept : View{};
  run(ConvForwardMoments{conv, {moments.view()}, picked ? ConvPicks{.values = picks, .choice = k.choice, .gamma = k.gamma} : ConvPicks{}},
      context);
  run(NormForwardMoments{norm_of(k), moments.view(), units.unit, picks}, context);
}

void run_here(const ConvBlockGrad& k, Context& context) {
  if (!k.y) return block_of_images(k, {}, {}, context);
  if (!run_made(k, {}, {}, context)) compose(k, context);
}

void run_here(const ConvBlockJvp& k, Context& context) {
  if (!k.y) return block_of_images(k, context);
  if (!k.tx && !k.tw) return compose(k, context);
  const ConvForward conv = tangent_convolution(k);
  const MomentUnits units = units_wanted(conv);
  if (units.count == 0) return compose(k, context);
  const Temporary moments = moments_of(conv, units, kTangentMoments, context);
  ConvForwardMoments made{conv, {moments.view(), k.y, k.mean}};
  NormJvpMoments norm{norm_of(k), moments.view(), units.unit};
  const View& kept = k.tchosen ? k.tchosen : k.tp;
  if (!leaves_picks(conv, units.unit, k.pool, kept, k.choice) || !leaves_picks(conv, units.unit, k.pool, k.tp, k.choice)) {
    run(made, context);
    run(norm, context);
    return;
  }
  std::optional<Temporary> of;
  if (!k.chosen) of.emplace(k.tp.shape, k.tp.dtype, context);
  made.picks = {.values = kept, .positions = k.choice, .of = of ? of->view() : View{}};
  norm.picked = of ? ConstView(of->view()) : k.chosen, norm.tpicked = kept;
  run(made, context);
  run(norm, context);
}

void run_here(const ConvBlockGradJvp& k, Context& context) {
  if (!k.y) return block_of_images(k, {}, {}, context);
  if (!run_made(k, {}, {}, context)) compose(k, context);
}

IL_REGISTER_KERNEL(ConvBlockForward);
IL_REGISTER_KERNEL(ConvBlockGrad);
IL_REGISTER_KERNEL(ConvBlockJvp);
IL_REGISTER_KERNEL(ConvBlockGradJvp);

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
