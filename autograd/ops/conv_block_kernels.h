// What the ops of a conv block hand to its kernels.
#pragma once

#include <span>

#include "autograd/ops/conv_block.h"
#include "autograd/ops/operands.h"
#include "kernels/conv_block.h"

namespace innerloop::autograd {

inline View shape_only(const Shape& shape, DType dtype) { return {nullptr, dtype, shape}; }

/// A block keeps y, or the moments of its images' patches in place of it (kernels/conv_block.h); both go by the name `map`.
inline bool is_y(const Tensor& map) { return map.shape().rank() == 5; }

/// What a kernel is told of a map: k.y, which has a shape in any case, and k.moments.
template <class K>
void set_map(K& k, const Tensor& map, const Shape& shape, DType dtype) {
  k.y = is_y(map) ? map.view() : ConstView(shape_only(shape, dtype));
  if (!is_y(map)) k.moments = map.view();
}

/// The inputs of a block's gradient, by place. gamma and chosen may be absent.
enum GradInput : std::size_t { kX, kW, kGamma, kMap, kMean, kRstd, kChoice, kGp, kChosen, kGradInputs };

/// Those of its tangent: the same, the gradient's ggamma and gbeta, then the tangents, each of which may be absent.
enum GradJvpInput : std::size_t {
  kGGamma = kGradInputs, kGBeta, kTX, kTW, kTGamma, kTMap, kTMean, kTRstd, kTGp, kTChosen, kGradJvpInputs
};

inline kernels::ConvBlockGrad gradient_kernel(const ConvBlockOptions& o, std::span<const Tensor> in) {
  const Shape shape = conv_output_shape(in[kX].shape(), in[kW].shape(), o.conv);
  kernels::ConvBlockGrad k;
  k.geometry = o.conv.geometry(), k.pool = o.pool;
  k.x = in[kX].view(), k.w = in[kW].view(), k.gamma = view_or_none(in[kGamma]);
  set_map(k, in[kMap], shape, in[kX].dtype());
  k.mean = in[kMean].view(), k.rstd = in[kRstd].view(), k.choice = in[kChoice].view(), k.gp = in[kGp].view();
  k.chosen = view_or_none(in[kChosen]);
  return k;
}

inline kernels::ConvBlockGradJvp gradient_jvp_kernel(const ConvBlockOptions& o, std::span<const Tensor> in) {
  const kernels::ConvBlockGrad g = gradient_kernel(o, in);
  kernels::ConvBlockGradJvp k;
  k.geometry = g.geometry, k.pool = g.pool;
  k.x = g.x, k.w = g.w, k.gamma = g.gamma, k.y = g.y, k.moments = g.moments, k.mean = g.mean, k.rstd = g.rstd, k.choice = g.choice, k.gp = g.gp;
  k.chosen = g.chosen, k.ggamma = in[kGGamma].view(), k.gbeta = in[kGBeta].view();
  k.tx = view_or_none(in[kTX]), k.tw = view_or_none(in[kTW]), k.tgamma = view_or_none(in[kTGamma]), k.ty = view_or_none(in[kTMap]);
  k.tmean = view_or_none(in[kTMean]), k.trstd = view_or_none(in[kTRstd]), k.tgp = view_or_none(in[kTGp]);
  k.tchosen = view_or_none(in[kTChosen]);
  return k;
}

/// The inputs of the tangent of a gradient with the inputs `in`, whose outputs were ggamma and gbeta, along t.
inline Vars jvp_inputs(const Vars& in, const Var& ggamma, const Var& gbeta, const Vars& t) {
  return {in[kX], in[kW], in[kGamma], in[kMap], in[kMean], in[kRstd], in[kChoice], in[kGp], detach(in[kChosen]), detach(ggamma),
          detach(gbeta), t[kX], t[kW], t[kGamma], t[kMap], t[kMean], t[kRstd], t[kGp], detach(t[kChosen])};
}

/// And back: the gradient's own inputs, and the tangents that its plain form knows, of the first kGradInputs.
inline Vars primals_of(const Vars& in) { return Vars(in.begin(), in.begin() + kGradInputs); }
inline Vars tangents_of(const Vars& in) {
  return {in[kTX], in[kTW], in[kTGamma], in[kTMap], in[kTMean], in[kTRstd], Var(), in[kTGp], Var()};
}

}  // namespace innerloop::autograd
