// The convolution of a conv block's tangent, for the targets that compose it.
#pragma once

#include "kernels/conv_block.h"

namespace innerloop::kernels {

/// ty = C(tx, w) + C(x, tw) of a block with tx or tw: in dual form where it has both.
inline ConvForward tangent_convolution(const ConvBlockJvp& k) {
  ConvForward conv{k.geometry, {}, {}, k.ty};
  int pairs = 0;
  if (k.tx) conv.x[pairs] = k.tx, conv.w[pairs++] = k.w;
  if (k.tw) conv.x[pairs] = k.x, conv.w[pairs++] = k.tw;
  return conv;
}

}  // namespace innerloop::kernels
