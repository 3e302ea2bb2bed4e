// Dropout: zero some values and scale the rest.
#pragma once

#include <cstdint>

#include "autograd/var.h"

namespace innerloop::autograd {

/// Where a mask's random numbers lie: seed, step and task of the stream kDropout (tensor/philox.h).
struct DropoutAddress {
  std::uint64_t seed = 0;
  std::uint32_t step = 0, task = 0;
};

/// y = x * mask, mask = 1/(1 - rate) with probability 1 - rate, else 0. The same address gives the same mask, so every derivative
/// sees one function. rate in [0, 1); 0 returns x.
Var dropout(const Var& x, double rate, const DropoutAddress& address);

}  // namespace innerloop::autograd
