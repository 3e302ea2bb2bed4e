// The conv block on the GPU (kernels/conv_block.h). Our own convolutions leave the sums that the norm needs (conv_moments.h), so
// that it reads y, and ty, for its outputs alone, and by tiles of an image what it would read there, too. A block of images has
// kernels of its own (block_of_images.h).
#include <optional>

#include "kernels/cuda/block_of_images.h"
#include "kernels/cuda/conv_engine.h"
#include "kernels/cuda/conv_made.h"
#include "kernels/cuda/conv_moments.h"
#include "kernels/cuda/conv_stages.h"
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

/// Of no units there are none.
std::optional<Temporary> moments_of(const ConvForward& conv, const MomentUnits& units, std::int64_t lines, Context& context) {
  if (units.count == 0) return {};
  const Shape& y = conv.y.shape;
  return Temporary(Shape({y[0], units.count, lines, y[4]}), conv.y.dtype, context);
}

/// A gradient whose norm is ahead of its convolutions; false where that cannot be.
bool run_staged(const ConvBlockGrad& k, Context& context) {
  const Temporary gy(k.y.shape, k.y.dtype, context);
  const NormConvGrads both{{norm_of(k, gy.view()), {}}, {convolutions_of(k, gy.view()), {}}};
  if (!suits_stages(both)) return false;
  run(both, context);
  return true;
}

bool run_staged(const ConvBlockGradJvp& k, Context& context) {
  const Temporary tgy(k.y.shape, k.y.dtype, context);
  std::optional<Temporary> gy;
  if (wants_gy(k)) gy.emplace(k.y.shape, k.y.dtype, context);
  const View again = gy ? gy->view() : View{};
  const NormConvGradsJvp both{{norm_of(k, again, tgy.view()), {}}, {convolutions_of(k, again, tgy.view()), {}}};
  if (!suits_stages(both)) return false;
  run(both, context);
  return true;
}

}  // namespace

void run_here(const ConvBlockForward& k, Context& context) {
  if (!k.y) return block_of_images(k, context);
  const ConvForward conv{k.geometry, {k.x, {}}, {k.w, {}}, k.y};
  const MomentUnits units = units_wanted(conv);
  const std::optional<Temporary> left = moments_of(conv, units, kOutputMoments, context);
  const View moments = left ? left->view() : View{};
  const View& kept = k.chosen ? k.chosen : k.p;  // in place where nobody keeps them
  const bool picked = leaves_picks(conv, units, k.pool, kept, k.choice) && leaves_picks(conv, units, k.pool, k.p, k.choice);
  const View picks = picked ? kept : View{};
  const ConvNorm both{{conv, {moments}, picked ? ConvPicks{.values = picks, .choice = k.choice, .gamma = k.gamma} : ConvPicks{}},
                      {norm_of(k), moments, units.unit, picks}};
  if (suits_stages(both)) return run(both, context);
  if (!left) return compose(k, context);
  run(both.conv, context);
  run(both.norm, context);
}

void run_here(const ConvBlockGrad& k, Context& context) {
  if (!k.y) return block_of_images(k, {}, {}, context);
  if (!run_made(k, {}, {}, context) && !run_staged(k, context)) compose(k, context);
}

void run_here(const ConvBlockJvp& k, Context& context) {
  if (!k.y) return block_of_images(k, context);
  if (!k.tx && !k.tw) return compose(k, context);
  const ConvForward conv = tangent_convolution(k);
  const MomentUnits units = units_wanted(conv);
  const std::optional<Temporary> left = moments_of(conv, units, kTangentMoments, context);
  const View moments = left ? left->view() : View{};
  ConvNormJvp both{{conv, {moments, k.y, k.mean}}, {norm_of(k), moments, units.unit}};
  const View& kept = k.tchosen ? k.tchosen : k.tp;
  std::optional<Temporary> of;
  if (leaves_picks(conv, units, k.pool, kept, k.choice) && leaves_picks(conv, units, k.pool, k.tp, k.choice) &&
      (k.chosen || units.unit == MomentUnit::kTile)) {
    if (!k.chosen) of.emplace(k.tp.shape, k.tp.dtype, context);
    both.conv.picks = {.values = kept, .positions = k.choice, .of = of ? of->view() : View{}};
    both.norm.picked = of ? ConstView(of->view()) : k.chosen, both.norm.tpicked = kept;
  }
  if (suits_stages(both)) return run(both, context);
  if (!left) return compose(k, context);
  run(both.conv, context);
  run(both.norm, context);
}

void run_here(const ConvBlockGradJvp& k, Context& context) {
  if (!k.y) return block_of_images(k, {}, {}, context);
  if (!run_made(k, {}, {}, context) && !run_staged(k, context)) compose(k, context);
}

IL_REGISTER_KERNEL(ConvBlockForward);
IL_REGISTER_KERNEL(ConvBlockGrad);
IL_REGISTER_KERNEL(ConvBlockJvp);
IL_REGISTER_KERNEL(ConvBlockGradJvp);

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
