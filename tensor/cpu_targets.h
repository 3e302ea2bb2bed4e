// The instruction sets of this CPU.
#pragma once

#include <vector>

#include "tensor/context.h"

namespace innerloop {

/// Whether this CPU runs it. For kAmx the system is asked, once, to let this process use tiles.
bool cpu_has(Target target);

/// All that this CPU has, from portable up; IL_SIMD does not narrow them.
std::vector<Target> cpu_targets();

}  // namespace innerloop
