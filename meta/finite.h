// Whether values are finite: what stands between a diverged run and its checkpoint.
#pragma once

#include <cstddef>
#include <vector>

#include "tensor/tensor.h"

namespace innerloop::meta {

/// The sum of the squares of all values, in float64, in a fixed order.
double sum_of_squares(const Tensor& tensor);

/// True when every value of the floating tensor is finite. On a device it is told by the sum of squares, for which a float64 of more
/// than 1e154 counts as infinite.
bool all_finite(const Tensor& tensor);

/// The place of the first tensor that holds a value that is not finite, or -1.
std::ptrdiff_t first_not_finite(const std::vector<Tensor>& tensors);

}  // namespace innerloop::meta
