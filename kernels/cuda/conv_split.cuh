// Sums in pieces: who takes them, and how they come together.
//
// Where tiles and tasks fill the device, one block sums all pieces of its tile in order; else each piece has a block of
// its own that leaves a partial output in scratch memory, and the last of a tile's blocks joins the partials in the same order.
// Both give the same bits, so that the choice may follow the number of tasks. What the pieces are follows from the
// shape alone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>

#include "kernels/cuda/conv_launch.cuh"
#include "kernels/cuda/grid.h"

namespace innerloop::kernels::cuda {

/// Cuts a sum of `steps` into `chunks` equal ones, the last of which may be shorter. An empty sum is one chunk.
template <class T>
void cut_steps(ConvGemm<T>& gemm, std::int64_t steps, std::int64_t chunks) {
  gemm.steps_chunk =
      static_cast<int>(std::max<std::int64_t>(1, conv_ceil_div(steps, std::max<std::int64_t>(1, chunks))));
  gemm.chunks = static_cast<int>(std::max<std::int64_t>(1, conv_ceil_div(steps, gemm.steps_chunk)));
}

/// Chunks of a task's sum over taps and channels: one, unless its output is a few small tiles (a 3 x 3 image of 64
/// channels) under a long sum, which a handful of blocks would take long over.
inline std::int64_t depth_chunks(std::int64_t rows, std::int64_t columns, std::int64_t groups, std::int64_t steps) {
  constexpr std::int64_t kFewTiles = 4, kShortest = 8, kMost = 4;
  const std::int64_t tiles = conv_ceil_div(rows, kSmallM) * conv_ceil_div(columns, kSmallN) * groups;
  return tiles <= kFewTiles ? std::clamp<std::int64_t>(steps / kShortest, 1, kMost) : 1;
}

/// `choice`, or small tiles in the place of large ones where parts are joined.
template <class T>
TileChoice fit_for_join(const ConvGemm<T>& gemm, TileChoice choice) {
  if (gemm.joined != nullptr && choice.size == TileSize::kLarge) choice.size = TileSize::kSmall;
  return choice;
}

/// Points the output of `gemm`, whose chunks are set, to `out` or to scratch memory that lives as long as this, and gives the
/// pieces to blocks.
template <class T>
class SplitSum {
 public:
  SplitSum() = default;
  /// `size` elements of a task of the output; `tasks` of the operands, whose sum an output is where it has fewer.
  /// `rows` and `columns` of one task and group.
  SplitSum(ConvGemm<T>& gemm, View out, std::int64_t size, std::int64_t tasks, std::int64_t rows, Context& context) {
    constexpr std::int64_t kMostBytes = std::int64_t{512} << 20;
    const std::int64_t out_tasks = out.shape[0], pieces = tasks / out_tasks * gemm.chunks;
    const std::int64_t tiles = conv_ceil_div(rows, kSmallM) * conv_ceil_div(gemm.columns, kSmallN) * gemm.groups * out_tasks;
    const std::int64_t bytes = out_tasks * pieces * size * static_cast<std::int64_t>(sizeof(T));
    const bool split = pieces > 1 && tiles < 2 * full_wave() && bytes <= kMostBytes;
    if (split) {
      scratch_ = context.arena().allocate(static_cast<std::size_t>(bytes));
      gemm.joined = out.as<T>();
      gemm.joined_task = size;
      gemm.tickets = tickets_of(context);
    }
    gemm.out = split ? static_cast<T*>(scratch_.get()) : out.as<T>();
    gemm.out_task = split ? pieces * size : size;
    gemm.out_piece = split ? size : 0;
    gemm.piece_groups = static_cast<int>(split ? pieces : 1);
    gemm.pieces_here = static_cast<int>(split ? 1 : pieces);
  }

 private:
  std::shared_ptr<void> scratch_;  ///< free for others when the scope ends: the stream orders them behind this launch
};

}  // namespace innerloop::kernels::cuda
