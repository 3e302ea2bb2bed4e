// The source of a convolution as tiles want it: the rows that some outputs read, padded, as three planes of bfloat16 parts.
#pragma once

#include "kernels/cpu/amx/tile.h"
#include "kernels/cpu/conv_block.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE::amx {

/// `sweep` as a sweep over copies, whether it is padded or not.
inline ConvSweep copied(ConvSweep sweep) {
  sweep.always_copied = true;
  return sweep;
}

/// Rows of outputs whose source, as planes, stays in the second-level cache beside the rest: one at least.
inline std::int64_t rows_that_stay(const ConvSweep& sweep) {
  constexpr std::int64_t kBytes = 1 << 20;
  const std::int64_t line = larger(1, sweep.row_pitch()) * kParts * static_cast<std::int64_t>(sizeof(Bf16));
  return larger(1, (kBytes / line - sweep.h.span()) / sweep.h.in_step + 1);
}

/// Elements of one plane. A tile's last step may read past a tap's end: half a row of what follows, to meet zeros.
inline std::int64_t plane_size(std::int64_t copy_size) { return round_up(copy_size, kDepth) + kDepth; }

/// Fills kParts planes, `pitch` >= plane_size(pixels.copy_size()) apart, from the batch `source`.
inline void fill_planes(const PixelBlock<float>& pixels, std::int64_t pitch, const float* source, Bf16* planes) {
  const auto clear = [&](std::int64_t at, std::int64_t count) {
    for (int i = 0; i < kParts; ++i)
      __builtin_memset(planes + i * pitch + at, 0, static_cast<std::size_t>(count) * sizeof(Bf16));
  };
  pixels.for_each_stretch(source, [&](std::int64_t at, const float* from, std::int64_t count) {
    from == nullptr ? clear(at, count) : split_line(from, count, planes + at, pitch);
  });
  const std::int64_t size = pixels.copy_size();
  clear(size, plane_size(size) - size);
}

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE::amx
