// The loop nest of a broadcast map: adjacent axes that broadcast alike become one, so that [T, N, H, W, K] with
// [T, 1, 1, 1, K] is three loops and same shapes are a single line. The innermost axis is a line that vector code can
// run along; an operand's stride on it is 1, or 0 where it repeats one element.
#pragma once

#include "kernels/cpu/dispatch.h"
#include "tensor/shape.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

template <int kOperands>
struct BroadcastPlan {
  int rank = 0;
  std::int64_t extent[Shape::kMaxRank];
  std::int64_t stride[kOperands][Shape::kMaxRank];
  std::int64_t line = 1;   ///< extent of the innermost axis
  std::int64_t lines = 1;  ///< how many lines there are

  /// `out` is the broadcast shape of the operands' shapes, and has no extent of 0.
  BroadcastPlan(const Shape& out, const Shape* const (&operands)[kOperands]) {
    std::int64_t step[kOperands];  // the operand's stride at the axis, were it not broadcast
    for (int o = 0; o < kOperands; ++o) step[o] = 1;
    // Axes are found innermost first and stored in that order.
    for (int i = 1; i <= out.rank(); ++i) {
      const std::int64_t n = out[-i];
      std::int64_t now[kOperands];
      for (int o = 0; o < kOperands; ++o) {
        const std::int64_t e = i <= operands[o]->rank() ? (*operands[o])[-i] : 1;
        now[o] = e == 1 ? 0 : step[o];
        step[o] *= e;
      }
      if (n == 1) continue;
      bool joins = rank > 0;
      for (int o = 0; o < kOperands && joins; ++o) joins = now[o] == stride[o][rank - 1] * extent[rank - 1];
      if (joins) {
        extent[rank - 1] *= n;
        continue;
      }
      extent[rank] = n;
      for (int o = 0; o < kOperands; ++o) stride[o][rank] = now[o];
      ++rank;
    }
    if (rank == 0) {
      extent[0] = 1;
      for (int o = 0; o < kOperands; ++o) stride[o][0] = 1;
      rank = 1;
    }
    line = extent[0];
    for (int i = 1; i < rank; ++i) lines *= extent[i];
  }

  /// Offset of operand `o` at the start of a line.
  IL_INLINE std::int64_t offset(int o, std::int64_t line_index) const {
    std::int64_t at = 0;
    for (int i = 1; i < rank; ++i) {
      at += line_index % extent[i] * stride[o][i];
      line_index /= extent[i];
    }
    return at;
  }

  /// body(y_offset, offsets of the operands, length) over pieces of lines, spread over threads.
  template <class Body>
  IL_INLINE void for_each_line(Context& context, const Body& body) const {
    const std::int64_t piece = smaller(line, kChunkElements);
    const std::int64_t pieces = ceil_div(line, piece);
    parallel_chunks(context, lines * pieces, larger(1, kChunkElements / piece),
                    [&](std::int64_t begin, std::int64_t end) {
                      for (std::int64_t i = begin; i < end; ++i) {
                        const std::int64_t l = i / pieces, first = i % pieces * piece;
                        std::int64_t at[kOperands];
                        for (int o = 0; o < kOperands; ++o) at[o] = offset(o, l) + first * stride[o][0];
                        body(l * line + first, at, smaller(piece, line - first));
                      }
                    });
  }
};

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
