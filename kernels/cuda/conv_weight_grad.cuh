// Weight gradient: rows are taps and input channels, k runs over pixels, columns are output channels.
//
// The pixels of a task are cut into chunks by shape alone, which blocks share or not (conv_split.cuh).
#pragma once

#include "kernels/cuda/conv_split.cuh"
#include "kernels/cuda/conv_step.h"

namespace innerloop::kernels::cuda {

inline constexpr std::int64_t kChunkPixels = 256;  // fewer would not pay for writing and joining a partial gradient
inline constexpr std::int64_t kMaxChunks = 16;

template <class T>
struct WeightGradParams {
  ConvGemm<T> gemm;
  FilterRows a;
  DenseColumns b;
  int steps;
  WriteStep<T> write;
};

/// The work of a block of the launch.
template <class Tile, int kVectorA, int kVectorB>
__device__ __forceinline__ void weight_grad_block(const WeightGradParams<typename Tile::Element>& p, unsigned block) {
  conv_block<Tile, kVectorA, kVectorB, kVectorB>(
      p.gemm, p.a.gather.columns, p.steps, p.a, p.b, [&](int row) { return row * p.b.pitch; }, block, p.write);
}

/// A weight gradient, ready to be tiled.
template <class T>
struct WeightGradPlan {
  WeightGradParams<T> params;
  std::int64_t rows = 0, out_tasks = 0;
  TileChoice choice;
  SplitSum<T> parts;

  WeightGradPlan(const ConvWeightGrad& op, const WeightStep& step, const ConvSizes& z, int pairs, ConvMath math,
                 Context& context)
      : out_tasks(op.gw.shape[0]) {
    const ConvGeometry& g = op.geometry;
    ConvGemm<T>& gemm = params.gemm;
    bool vectors_a = z.group_c() % 4 == 0, vectors_b = z.group_k() % 4 == 0 && aligned(op.gw) && aligned(step.from);
    for (int n = 0; n < pairs; ++n) {
      gemm.a[n] = op.x[n].as<T>(), gemm.a_task[n] = task_stride(op.x[n]);
      gemm.b[n] = op.gy[n].as<T>(), gemm.b_task[n] = task_stride(op.gy[n]);
      vectors_a = vectors_a && aligned(op.x[n]);
      vectors_b = vectors_b && aligned(op.gy[n]);
    }
    const std::int64_t pixels = z.images * z.p * z.q;
    gemm.pairs = pairs;
    gemm.a_group = static_cast<int>(z.group_c());
    gemm.b_group = gemm.out_group = static_cast<int>(z.group_k());
    gemm.groups = static_cast<int>(z.groups);
    gemm.columns = static_cast<int>(z.group_k());
    params.a.gather = make_gather({z.h, z.p, g.stride_h, -g.pad_top, z.r, g.dilation_h},
                                  {z.w, z.q, g.stride_w, -g.pad_left, z.s, g.dilation_w}, z.images, z.group_c(), z.c);
    params.b = {gemm.columns, static_cast<int>(pixels), static_cast<int>(z.k)};
    params.steps = static_cast<int>(conv_ceil_div(pixels, kTileK));
    rows = params.a.gather.columns;
    cut_steps(gemm, params.steps, std::min(kMaxChunks, conv_ceil_div(pixels, kChunkPixels)));
    parts = SplitSum<T>(gemm, op.gw, z.w_size(), z.tasks, rows, context);
    if (step.from) {
      const auto address = [](const void* p) { return reinterpret_cast<std::intptr_t>(p); };
      const bool joins = gemm.joined != nullptr;
      params.write = {address(step.from.data) - address(op.gw.data), static_cast<T>(step.rate), !joins, joins};
    }
    choice = fit_for_join(gemm, choose_tile(math, vectors_of(vectors_a, vectors_b), rows, gemm.columns, pixels,
                                            out_tasks * z.groups * gemm.piece_groups));
  }
};

/// The sizes of a call, checked.
inline ConvSizes sizes_of(const ConvWeightGrad& op, int pairs) {
  const ConvSizes z = conv_sizes(
      ConvWeightGrad::kName, op.geometry, pairs, [&](int n) { return op.x[n]; },
      [&](int) -> ConstView { return op.gw; }, [&](int n) { return op.gy[n]; });
  check_extents(ConvWeightGrad::kName, op.geometry, z);
  return z;
}

}  // namespace innerloop::kernels::cuda
