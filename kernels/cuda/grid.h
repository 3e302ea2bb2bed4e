// Launch shapes of kernels that walk over elements.
//
// A kernel has a loop with the stride of its grid, so that any grid does all the work; this one fills the device several times
// over and stays under the limit of the grid's x.
#pragma once

#include <algorithm>
#include <cstdint>

namespace innerloop::kernels::cuda {

inline constexpr unsigned kBlock = 256;          ///< threads a block, where a kernel has no reason for another number
inline constexpr std::int64_t kMaxBlocks = 132 * 16;  ///< 16 blocks of 256 on each multiprocessor of an H100

/// Blocks for `n` elements at `each` elements a thread; at least one.
inline unsigned blocks_for(std::int64_t n, std::int64_t each = 1, unsigned block = kBlock) {
  const std::int64_t per_block = static_cast<std::int64_t>(block) * each;
  return static_cast<unsigned>(std::clamp<std::int64_t>((n + per_block - 1) / per_block, 1, kMaxBlocks));
}

}  // namespace innerloop::kernels::cuda
