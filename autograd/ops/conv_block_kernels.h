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

/// The operands of a block's gradient; in: x, w, gamma?, map, mean, rstd, choice, gp.
inline kernels::ConvBlockGrad gradient_kernel(const ConvBlockOptions& o, std::span<const Tensor> in, const Tensor& chosen) {
  const Shape shape = conv_output_shape(in[0].shape(), in[1].shape(), o.conv);
  kernels::ConvBlockGrad k;
  k.geometry = o.conv.geometry(), k.pool = o.pool;
  k.x = in[0].view(), k.w = in[1].view(), k.gamma = view_or_none(in[2]);
  set_map(k, in[3], shape, in[0].dtype());
  k.mean = in[4].view(), k.rstd = in[5].view(), k.choice = in[6].view(), k.gp = in[7].view();
  k.chosen = view_or_none(chosen);
  return k;
}

/// Those of its tangent; in: the same, ggamma, gbeta, then the tangents of x, w, gamma, y, mean, rstd, gp, each of which may be absent.
inline kernels::ConvBlockGradJvp gradient_jvp_kernel(const ConvBlockOptions& o, std::span<const Tensor> in, const Tensor& chosen,
                                                     const Tensor& tchosen) {
  const kernels::ConvBlockGrad g = gradient_kernel(o, in, chosen);
  kernels::ConvBlockGradJvp k;
  k.geometry = g.geometry, k.pool = g.pool;
  k.x = g.x, k.w = g.w, k.gamma = g.gamma, k.y = g.y, k.moments = g.moments, k.mean = g.mean, k.rstd = g.rstd, k.choice = g.choice, k.gp = g.gp;
  k.ggamma = in[8].view(), k.gbeta = in[9].view();
  k.tx = view_or_none(in[10]), k.tw = view_or_none(in[11]), k.tgamma = view_or_none(in[12]), k.ty = view_or_none(in[13]);
  k.tmean = view_or_none(in[14]), k.trstd = view_or_none(in[15]), k.tgp = view_or_none(in[16]);
  k.chosen = g.chosen, k.tchosen = view_or_none(tchosen);
  return k;
}

}  // namespace innerloop::autograd
