// Whether values are finite: what stands between a diverged run and its checkpoint.
#pragma once

#include <cstddef>
#include <vector>

#include "tensor/tensor.h"

namespace innerloop::meta {

/// True when every value of the floating tensor is finite.
bool all_finite(const Tensor& tensor);

/// The place of the first tensor that holds a value that is not finite, or -1.
std::ptrdiff_t first_not_finite(const std::vector<Tensor>& tensors);

}  // namespace innerloop::meta
