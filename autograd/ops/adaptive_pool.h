// Adaptive average pooling: a map of any size to one of a given size.
#pragma once

#include <cstdint>

#include "autograd/var.h"

namespace innerloop::autograd {

/// y [T, N, rows, columns, C] of x [T, N, H, W, C]; y[p, q] is the mean over rows floor(p H / rows) .. ceil((p + 1) H /
/// rows) - 1 and the columns alike: windows of nearly equal size that cover the map, and may overlap by a line. rows <=
/// H, columns <= W. A product with constant matrices: every derivative, on every device.
Var adaptive_average_pool(const Var& x, std::int64_t rows, std::int64_t columns);

}  // namespace innerloop::autograd
