// A small meta-gradient problem, as a file.
#pragma once

#include "io/safetensors.h"

namespace innerloop::tools {

/// Two tasks of 3 support and 6 query images, 3-way, on a net of two blocks of `filters` and 12x12x1 images; two inner
/// steps of 0.1. Floating tensors in `dtype`, of the same values in either.
io::TensorFile problem_file(DType dtype, std::int64_t filters = 4);

/// Its metadata "config" with 4 filters.
inline constexpr const char* kProblemConfig = "[model]\nfilters = [4, 4]\n[inner]\nsteps = 2\nrate = 0.1\n";

}  // namespace innerloop::tools
