// Sums over axes, broadcasts, and changes of shape. The sum and the broadcast are each other's adjoints.
#pragma once

#include <initializer_list>

#include "autograd/var.h"

namespace innerloop::autograd {

/// Sum over `axes`, which stay with extent 1.
Var sum(const Var& x, std::initializer_list<int> axes);
/// Sum of everything, as a tensor of rank 0.
Var sum_all(const Var& x);
/// Mean over `axes`, which stay with extent 1.
Var mean(const Var& x, std::initializer_list<int> axes);
/// Sum of x down to `shape`, which x's shape is a broadcast of.
Var sum_to(const Var& x, const Shape& shape);
/// x repeated up to `shape`.
Var broadcast_to(const Var& x, const Shape& shape);
Var reshape(const Var& x, const Shape& shape);
/// Largest value over `axes` (kept with extent 1), as a constant: for shifts that cancel, as in a stable softmax.
Var constant_max(const Var& x, std::initializer_list<int> axes);

}  // namespace innerloop::autograd
