// alias: the same value at a new place in the record.
#pragma once

#include "autograd/var.h"

namespace innerloop::autograd {

/// y = x, as a place of its own. A derivative with respect to the result stops there and does not see what x came from, while a
/// later derivative may still pass through. Always tracked, even where x is a constant.
Var alias(const Var& x);

}  // namespace innerloop::autograd
