// Shared memory that a launch is granted without asking.
#pragma once

#include <cstddef>

namespace innerloop::kernels::cuda {

/// A device grants so many bytes to a block unasked, for static and dynamic shared memory together.
inline constexpr std::size_t kSharedUnasked = 48 * 1024;
/// Dynamic shared memory beyond which launch() asks. The rest is for a kernel's static shared memory, which a launch does not know; a test
/// holds every kernel to it.
inline constexpr std::size_t kDynamicSharedUnasked = 32 * 1024;

}  // namespace innerloop::kernels::cuda
