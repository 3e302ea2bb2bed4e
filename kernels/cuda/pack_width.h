// How many neighbouring elements a thread takes together where addresses allow it.
#pragma once

#include <type_traits>

namespace innerloop::kernels::cuda {

/// 16 bytes, one wide access. float64, which is there to prove the others, goes element by element: a warp's 256 bytes are whole sectors all the
/// same, and every kernel has an instance less.
template <class T>
inline constexpr int kPack = std::is_same_v<T, double> ? 1 : 16 / static_cast<int>(sizeof(T));

}  // namespace innerloop::kernels::cuda
