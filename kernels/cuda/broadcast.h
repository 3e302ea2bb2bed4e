// The loop nest of a broadcast map: adjacent axes that broadcast alike become one, so that [T, N, H, W, K] with
// [T, 1, 1, 1, K] is three axes and same shapes are a single line. An operand's stride on the innermost axis is 1, or 0
// where it repeats one element.
#pragma once

#include <cstdint>

#include "kernels/cuda/device.cuh"
#include "tensor/shape.h"

namespace innerloop::kernels::cuda {

template <int kOperands>
struct BroadcastPlan {
  int rank = 0;
  std::int64_t extent[Shape::kMaxRank] = {};  ///< innermost first
  std::int64_t stride[kOperands][Shape::kMaxRank] = {};

  /// `out` is the broadcast shape of the operands' shapes, and has no extent of 0.
  BroadcastPlan(const Shape& out, const Shape* const (&operands)[kOperands]) {
    std::int64_t step[kOperands];  // the operand's stride at the axis, were it not broadcast
    for (std::int64_t& s : step) s = 1;
    for (int i = 1; i <= out.rank(); ++i) {
      std::int64_t now[kOperands];
      for (int o = 0; o < kOperands; ++o) {
        const std::int64_t e = i <= operands[o]->rank() ? (*operands[o])[-i] : 1;
        now[o] = e == 1 ? 0 : step[o];
        step[o] *= e;
      }
      if (out[-i] == 1) continue;
      bool joins = rank > 0;
      for (int o = 0; o < kOperands && joins; ++o) joins = now[o] == stride[o][rank - 1] * extent[rank - 1];
      if (joins) {
        extent[rank - 1] *= out[-i];
        continue;
      }
      extent[rank] = out[-i];
      for (int o = 0; o < kOperands; ++o) stride[o][rank] = now[o];
      ++rank;
    }
    if (rank > 0) return;
    rank = 1;  // one element
    extent[0] = 1;
    for (int o = 0; o < kOperands; ++o) stride[o][0] = 1;
  }

  /// Offsets of the operands' elements that element `i` of the output reads.
  __device__ void offsets(std::int64_t i, std::int64_t (&at)[kOperands]) const {
    for (int o = 0; o < kOperands; ++o) at[o] = 0;
#pragma unroll
    for (int axis = 0; axis < Shape::kMaxRank; ++axis) {
      if (axis >= rank) break;
      // The outermost axis needs no division: what is left of the index is the position on it.
      const std::int64_t rest = axis + 1 < rank ? i / extent[axis] : 0;
      const std::int64_t position = i - rest * extent[axis];
      for (int o = 0; o < kOperands; ++o) at[o] += position * stride[o][axis];
      i = rest;
    }
  }
};

}  // namespace innerloop::kernels::cuda
