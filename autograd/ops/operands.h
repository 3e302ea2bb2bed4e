// What ops hand to their kernels: operands that may be absent, and outputs shaped like an operand.
#pragma once

#include "tensor/tensor.h"

namespace innerloop::autograd {

inline ConstView view_or_none(const Tensor& t) { return t.defined() ? t.view() : ConstView{}; }
inline View view_or_none(Tensor& t) { return t.defined() ? t.mutable_view() : View{}; }
inline Tensor like(const Tensor& t) { return Tensor::empty(t.shape(), t.dtype()); }

}  // namespace innerloop::autograd
