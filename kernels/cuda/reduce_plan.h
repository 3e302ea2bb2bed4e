// What a reduction has to walk over. Axes that are kept or reduced alike are joined, which leaves alternating axes; the
// innermost one decides how threads are laid out.
#pragma once

#include <cstdint>

#include "kernels/cuda/device.cuh"
#include "tensor/shape.h"

namespace innerloop::kernels::cuda {

/// Axes of one kind, innermost first.
struct ReduceAxes {
  int rank = 0;
  std::int64_t count = 1;
  std::int64_t extent[Shape::kMaxRank] = {}, stride[Shape::kMaxRank] = {};

  void push(std::int64_t n, std::int64_t step) {
    extent[rank] = n;
    stride[rank++] = step;
    count *= n;
  }
  /// Offset of the element at the joined index.
  __device__ std::int64_t offset(std::int64_t index) const {
    std::int64_t at = 0;
#pragma unroll 1  // once an output, or in the loop of a shape with many axes: small code, not fast code
    for (int axis = 0; axis < rank; ++axis) {
      const std::int64_t rest = axis + 1 < rank ? index / extent[axis] : 0;
      at += (index - rest * extent[axis]) * stride[axis];
      index = rest;
    }
    return at;
  }
};

struct ReducePlan {
  bool innermost_reduced = false;
  std::int64_t line = 1;     ///< extent of the innermost joined axis
  ReduceAxes kept, reduced;  ///< the others

  /// y has the rank of x and extent 1 on the reduced axes; x has no extent of 0.
  ReducePlan(const Shape& x, const Shape& y) {
    std::int64_t step = 1, extent = 1, begin = 1;  // of the joined axis that is open: its extent, and where it began
    bool innermost = true, started = false, kind = false;
    const auto close = [&] {
      if (innermost) {
        innermost_reduced = kind;
        line = extent;
        innermost = false;
      } else {
        (kind ? reduced : kept).push(extent, begin);
      }
      begin = step;
      extent = 1;
    };
    for (int i = 1; i <= x.rank(); ++i) {
      if (x[-i] == 1) continue;
      const bool is_reduced = y[-i] == 1;
      if (started && is_reduced != kind) close();
      started = true;
      kind = is_reduced;
      extent *= x[-i];
      step *= x[-i];
    }
    close();
  }
};

}  // namespace innerloop::kernels::cuda
