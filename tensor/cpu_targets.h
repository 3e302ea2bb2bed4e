// The instruction sets of this CPU.
#pragma once

#include <vector>

#include "tensor/context.h"

namespace innerloop {

/// All that this CPU has, from portable up; IL_SIMD does not narrow them.
std::vector<Target> cpu_targets();

}  // namespace innerloop
