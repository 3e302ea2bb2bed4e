// What a patch is made of (kernels/patch_moments.h).
#pragma once

#include "kernels/conv_check.h"
#include "kernels/cpu/dispatch.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

struct PatchShape {
  ConvGeometry geometry;
  ConvSizes z;

  std::int64_t taps() const { return z.r * z.s * z.c; }
  std::int64_t image() const { return z.h * z.w * z.c; }
  /// Rows and columns of x from the first to the last that `count` neighbouring pixels of y meet, which step by `side`
  /// windows.
  std::int64_t rows(std::int64_t count, std::int64_t step) const {
    return (count - 1) * step * geometry.stride_h + (z.r - 1) * geometry.dilation_h + 1;
  }
  std::int64_t columns(std::int64_t count, std::int64_t step) const {
    return (count - 1) * step * geometry.stride_w + (z.s - 1) * geometry.dilation_w + 1;
  }
};

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
