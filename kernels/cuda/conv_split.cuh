// Sums in pieces: who takes them, and how they come together.
//
// Where tiles and tasks fill the device, one block sums all pieces of its tile in order; else each piece has a block of
// its own that leaves a partial output in scratch memory, and a second kernel joins the partials in the same order.
// Both give the same bits, so that the choice may follow the number of tasks. What the pieces are follows from the
// shape alone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>

#include "kernels/cuda/conv_launch.cuh"
#include "kernels/cuda/grid.h"

namespace innerloop::kernels::cuda {

/// out[task][i] = ((part[task][0][i] + part[task][1][i]) + ...), kVector elements a thread.
template <class T, int kVector>
__global__ void conv_join_kernel(const T* parts, T* out, std::int64_t size, int pieces, std::int64_t count) {
  using V = Together<T, kVector>;
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x * kVector;
  for (std::int64_t at = (static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * kVector; at < count;
       at += stride) {
    const std::int64_t task = at / size;
    const T* from = parts + task * pieces * size + (at - task * size);
    V sum = load_as<V>(from);
    for (int i = 1; i < pieces; ++i) {
      const V next = load_as<V>(from + i * size);
#pragma unroll
      for (int l = 0; l < kVector; ++l) sum.v[l] += next.v[l];
    }
    store_as(out + at, sum);
  }
}

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

/// Points the output of `gemm`, whose chunks are set, to `out` or to scratch memory, and gives the pieces to blocks.
template <class T>
class SplitSum {
 public:
  /// `size` elements of a task of the output; `tasks` of the operands, whose sum an output is where it has fewer.
  /// `rows` and `columns` of one task and group.
  SplitSum(ConvGemm<T>& gemm, View out, std::int64_t size, std::int64_t tasks, std::int64_t rows, Context& context)
      : out_(out.as<T>()), size_(size), out_tasks_(out.shape[0]), pieces_(tasks / out_tasks_ * gemm.chunks) {
    constexpr std::int64_t kMostBytes = std::int64_t{512} << 20;
    const std::int64_t tiles = conv_ceil_div(rows, kSmallM) * conv_ceil_div(gemm.columns, kSmallN);
    const std::int64_t bytes = out_tasks_ * pieces_ * size * static_cast<std::int64_t>(sizeof(T));
    const bool split = pieces_ > 1 && tiles * gemm.groups * out_tasks_ < 2 * kFullWave && bytes <= kMostBytes;
    if (split) scratch_ = context.arena().allocate(static_cast<std::size_t>(bytes));
    gemm.out = split ? static_cast<T*>(scratch_.get()) : out_;
    gemm.out_task = split ? pieces_ * size : size;
    gemm.out_piece = split ? size : 0;
    gemm.piece_groups = static_cast<int>(split ? pieces_ : 1);
    gemm.pieces_here = static_cast<int>(split ? 1 : pieces_);
  }

  /// To be called when the pieces are launched.
  void join(Context& context) const {
    if (scratch_ == nullptr) return;
    if constexpr (sizeof(T) == 4) {
      if (size_ % 4 == 0 && reinterpret_cast<std::uintptr_t>(out_) % 16 == 0) return join_with<4>(context);
    }
    join_with<1>(context);
  }

 private:
  template <int kVector>
  void join_with(Context& context) const {
    const std::int64_t count = out_tasks_ * size_;
    launch(conv_join_kernel<T, kVector>, dim3(blocks_for(count, kVector)), dim3(kBlock), 0, stream_of(context),
           static_cast<const T*>(scratch_.get()), out_, size_, static_cast<int>(pieces_), count);
  }

  T* out_;
  std::int64_t size_, out_tasks_, pieces_;
  std::shared_ptr<void>
      scratch_;  ///< free for others when the scope ends: the stream orders them behind these launches
};

}  // namespace innerloop::kernels::cuda
