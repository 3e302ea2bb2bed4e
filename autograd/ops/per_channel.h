// A channel's values over its map.
#pragma once

#include "autograd/ops/reduce.h"

namespace innerloop::autograd {

/// [T, K] as a factor of [T, N, H, W, K].
inline Var per_channel(const Var& v) { return reshape(v, {v.shape()[0], 1, 1, 1, v.shape()[1]}); }

}  // namespace innerloop::autograd
