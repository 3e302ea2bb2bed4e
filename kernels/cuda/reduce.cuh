// Reductions in float64 with a fixed order of folds, as two kernels that differ in the innermost joined axis
// (reduce_plan.h):
//   rows     it is reduced: a group of threads folds the elements of one output, neighbours beside each other
//   columns  it is kept: a block has threads along the line of outputs and threads along what is reduced
// What one output folds is cut into at most kMaxPieces pieces, by its own size alone, so that few large outputs fill
// the device and an output's bits do not depend on how many others there are. Pieces become float64 partials, which a
// second launch joins.
#pragma once

#include <type_traits>

#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/pack.cuh"
#include "kernels/cuda/reduce_plan.h"

namespace innerloop::kernels::cuda {

struct Add {
  static constexpr double kIdentity = 0;
  __device__ static double of(double x) { return x; }
  __device__ static double fold(double a, double b) { return a + b; }
};

struct AddSquares : Add {
  __device__ static double of(double x) { return x * x; }
};

/// A NaN wins over every number.
struct Maximum {
  static constexpr double kIdentity = -__builtin_huge_val();
  __device__ static double of(double x) { return x; }
  __device__ static double fold(double a, double b) { return b > a || b != b ? b : a; }
};

inline constexpr std::int64_t kMaxPieces = 256;
inline constexpr std::int64_t kPiecePacks = 1024;  ///< rows: at least so many packs a piece, 4 a thread
inline constexpr std::int64_t kPieceRows = 256;    ///< columns: at least so many rows a piece

template <class Op, int kWidth, class In>
__device__ __forceinline__ void fold_pack(const In* from, double (&lane)[kWidth]) {
  const auto value = load_pack<kWidth>(from);
  for (int j = 0; j < kWidth; ++j) lane[j] = Op::fold(lane[j], Op::of(static_cast<double>(value.lane[j])));
}

/// kGroup threads fold one piece of one output: out[output * pieces + piece], times `scale`. `packs` is how many an output has.
template <class Op, int kGroup, int kWidth, class In, class Out>
__global__ void __launch_bounds__(kBlock)
    reduce_rows_kernel(ReducePlan plan, const In* x, Out* out, std::int64_t packs, std::int64_t pieces,
                       std::int64_t per_piece, double scale) {
  grid_dependency_sync();
  const std::int64_t group = (static_cast<std::int64_t>(blockIdx.x) * kBlock + threadIdx.x) / kGroup;
  const std::int64_t output = group / pieces, piece = group - output * pieces;
  const bool exists = output < plan.kept.count;
  const std::int64_t begin = piece * per_piece + threadIdx.x % kGroup;
  const std::int64_t end = exists ? min(packs, (piece + 1) * per_piece) : 0;
  const In* const from = x + (exists ? plan.kept.offset(output) : 0);
  double lane[kWidth];  // apart, so that additions need not wait for each other
  for (double& l : lane) l = Op::kIdentity;
  if (plan.reduced.rank == 0) {
#pragma unroll 4
    for (std::int64_t p = begin; p < end; p += kGroup) fold_pack<Op>(from + p * kWidth, lane);
  } else {
    const std::int64_t line_packs = plan.line / kWidth;
#pragma unroll 1
    for (std::int64_t p = begin; p < end; p += kGroup) {
      const std::int64_t l = p / line_packs;
      fold_pack<Op>(from + plan.reduced.offset(l) + (p - l * line_packs) * kWidth, lane);
    }
  }
  double sum = lane[0];
  for (int j = 1; j < kWidth; ++j) sum = Op::fold(sum, lane[j]);
#pragma unroll
  for (int distance = (kGroup < 32 ? kGroup : 32) / 2; distance > 0; distance /= 2)
    sum = Op::fold(sum, __shfl_xor_sync(0xffffffffu, sum, distance));
  if constexpr (kGroup > 32) {
    static_assert(kGroup == kBlock, "a group is a part of a warp, a warp or the block");
    IL_SHARED(double, warps, [kBlock / 32]);
    if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x == 0)
      for (unsigned w = 1; w < kBlock / 32; ++w) sum = Op::fold(sum, warps[w]);
  }
  if (exists && threadIdx.x % kGroup == 0) out[group] = static_cast<Out>(scale * sum);
}

/// A block folds one piece of a tile of a line's columns: out[(output * pieces + piece) * line + column]. `across`
/// threads lie along the line, a pack each; the others are rows.
template <class Op, int kWidth, class In, class Out>
__global__ void __launch_bounds__(kBlock)
    reduce_columns_kernel(ReducePlan plan, const In* x, Out* out, std::int64_t tiles, unsigned across,
                          std::int64_t pieces, std::int64_t per_piece, double scale) {
  grid_dependency_sync();
  IL_SHARED(double, sums, [kBlock * kWidth]);
  const std::int64_t target = blockIdx.x / tiles, tile = blockIdx.x - target * tiles;
  const std::int64_t output = target / pieces, piece = target - output * pieces;
  const unsigned down = kBlock / across, width = across * kWidth;  // width: columns of a tile
  const std::int64_t column = tile * width + threadIdx.x % across * kWidth;
  const std::int64_t begin = piece * per_piece + threadIdx.x / across;
  const std::int64_t end = column < plan.line ? min(plan.reduced.count, (piece + 1) * per_piece) : 0;
  const In* const from = x + plan.kept.offset(output) + column;
  double lane[kWidth];
  for (double& l : lane) l = Op::kIdentity;
  if (plan.reduced.rank <= 1) {
    const std::int64_t step = plan.reduced.stride[0];
#pragma unroll 4
    for (std::int64_t r = begin; r < end; r += down) fold_pack<Op>(from + r * step, lane);
  } else {
#pragma unroll 1
    for (std::int64_t r = begin; r < end; r += down) fold_pack<Op>(from + plan.reduced.offset(r), lane);
  }
  for (int j = 0; j < kWidth; ++j) sums[threadIdx.x * kWidth + j] = lane[j];
  __syncthreads();
  for (unsigned c = threadIdx.x; c < width; c += kBlock) {
    const std::int64_t to = tile * width + c;
    if (to >= plan.line) break;
    double sum = sums[c];
    for (unsigned r = 1; r < down; ++r) sum = Op::fold(sum, sums[r * width + c]);
    out[target * plan.line + to] = static_cast<Out>(scale * sum);
  }
}

inline std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// f(integral_constant of the pack's width) for lines of `line` elements from `x`.
template <class T, class F>
void with_width(const T* x, std::int64_t line, const F& f) {
  if (packs_fit({x}, kPack<T>, {line}) == Packs::kFit)
    f(std::integral_constant<int, kPack<T>>{});
  else
    f(std::integral_constant<int, 1>{});
}

template <class Op, int kGroup, int kWidth, class In, class Out>
void launch_rows(const ReducePlan& plan, const In* x, Out* out, std::int64_t per_piece, double scale, cudaStream_t stream) {
  const std::int64_t packs = plan.reduced.count * plan.line / kWidth, pieces = ceil_div(packs, per_piece);
  const std::int64_t blocks = ceil_div(plan.kept.count * pieces, kBlock / kGroup);
  launch(reduce_rows_kernel<Op, kGroup, kWidth, In, Out>, dim3(static_cast<unsigned>(blocks)), dim3(kBlock), 0, stream,
         plan, x, out, packs, pieces, per_piece, scale);
}

template <class Op, int kWidth, class In, class Out>
void launch_columns(const ReducePlan& plan, const In* x, Out* out, std::int64_t per_piece, double scale, cudaStream_t stream) {
  const std::int64_t column_packs = plan.line / kWidth, pieces = ceil_div(plan.reduced.count, per_piece);
  unsigned across = 1;
  while (across < 32 && across < column_packs) across *= 2;
  const std::int64_t tiles = ceil_div(column_packs, across), blocks = plan.kept.count * pieces * tiles;
  launch(reduce_columns_kernel<Op, kWidth, In, Out>, dim3(static_cast<unsigned>(blocks)), dim3(kBlock), 0, stream, plan,
         x, out, tiles, across, pieces, per_piece, scale);
}

/// y = the fold of Op over x, whose innermost axis is reduced, times `scale`; Join joins partials.
template <class Op, class Join, class In, class Out>
void reduce_rows(const ReducePlan& plan, const In* x, Out* y, double scale, Context& context) {
  const cudaStream_t stream = stream_of(context);
  with_width(x, plan.line, [&]<int kWidth>(std::integral_constant<int, kWidth>) {
    const std::int64_t packs = plan.reduced.count * plan.line / kWidth;
    const std::int64_t per_piece = std::max(kPiecePacks, ceil_div(packs, kMaxPieces));
    const std::int64_t pieces = ceil_div(packs, per_piece), outputs = plan.kept.count;
    if (pieces == 1) {
      // The smallest group that leaves its threads no more than a few packs.
      if (packs <= 16) return launch_rows<Op, 8, kWidth>(plan, x, y, per_piece, scale, stream);
      if (packs <= 256) return launch_rows<Op, 32, kWidth>(plan, x, y, per_piece, scale, stream);
      return launch_rows<Op, kBlock, kWidth>(plan, x, y, per_piece, scale, stream);
    }
    const auto scratch = context.arena().allocate(static_cast<std::size_t>(outputs * pieces) * sizeof(double));
    double* const partial = static_cast<double*>(scratch.get());
    launch_rows<Op, kBlock, kWidth>(plan, x, partial, per_piece, 1, stream);
    const ReducePlan join(Shape{outputs, pieces}, Shape{outputs, 1});
    launch_rows<Join, 32, 1>(join, partial, y, pieces, scale, stream);
  });
}

/// The same where the innermost axis is kept.
template <class Op, class Join, class In, class Out>
void reduce_columns(const ReducePlan& plan, const In* x, Out* y, double scale, Context& context) {
  const cudaStream_t stream = stream_of(context);
  with_width(x, plan.line, [&]<int kWidth>(std::integral_constant<int, kWidth>) {
    const std::int64_t per_piece = std::max(kPieceRows, ceil_div(plan.reduced.count, kMaxPieces));
    const std::int64_t pieces = ceil_div(plan.reduced.count, per_piece), outputs = plan.kept.count;
    if (pieces == 1) return launch_columns<Op, kWidth>(plan, x, y, per_piece, scale, stream);
    const auto scratch =
        context.arena().allocate(static_cast<std::size_t>(outputs * pieces * plan.line) * sizeof(double));
    double* const partial = static_cast<double*>(scratch.get());
    launch_columns<Op, kWidth>(plan, x, partial, per_piece, 1, stream);
    const ReducePlan join(Shape{outputs, pieces, plan.line}, Shape{outputs, 1, plan.line});
    launch_columns<Join, 1>(join, partial, y, pieces, scale, stream);
  });
}

}  // namespace innerloop::kernels::cuda
