// The shapes in which a convolution and its norm as stages of one launch (kernels/cuda/conv_stages.h) are tested.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/executed/conv_passes.h"

namespace innerloop::kernels::moments {

struct StageCase {
  MomentCase block;
  std::uint64_t apart;  ///< launches of the four kernels of a block without stages; with them it is one each
};

inline std::vector<StageCase> staged_cases() {
  return {
      {{"a split sum, and a norm that reads y", 3, 1, 6, 7, 32, 16}, 8},
      {{"moments, more than one small tile, windows cut off", 2, 2, 9, 7, 16, 40}, 8},
      {{"tiles of an image, 64 channels", 2, 1, 14, 14, 16, 64, 3, 1, 1, Pool::kMax2x2, 0, true}, 10},
      {{"tiles of an image, 32 channels, cut at both edges", 2, 1, 7, 15, 16, 32, 3, 1, 1, Pool::kMax2x2, 0, true}, 8},
      {{"one task", 1, 1, 6, 6, 16, 16}, 8},
  };
}

}  // namespace innerloop::kernels::moments
