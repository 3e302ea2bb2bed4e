// Input gradient: rows are input pixels, k runs over taps and output channels, columns are input channels.
//
// Input row i = a + stride*j is reached by the filter rows r with (a + pad - r*dilation) divisible by the stride, from
// output row p = j + (a + pad - r*dilation)/stride. So each residue a in [0, stride) is a dense convolution of gy with
// a subset of the filter: no product with an inserted zero is made. Residues share a launch, four at a time, as
// blockIdx.y.
#pragma once

#include <numeric>

#include "kernels/cuda/conv_split.cuh"

namespace innerloop::kernels::cuda {

inline constexpr int kResiduesTogether = 4;

/// Where the rows of a residue lie in gx.
struct ResidueRows {
  int rows_image, rows_line;  ///< rows of an image and of a line of it
  FastDivisor by_image, by_line;
  int first, image, line, step;  ///< elements
  __device__ __forceinline__ int operator()(int row) const {
    const int n = by_image.quotient(row), rest = row - n * rows_image;
    const int i = by_line.quotient(rest), j = rest - i * rows_line;
    return first + n * image + i * line + j * step;
  }
};

struct Residue {
  PixelRows a;
  TransposedFilter b;
  ResidueRows map;
  int steps;
};

template <class T>
struct InputGradParams {
  ConvGemm<T> gemm;
  Residue residues[kResiduesTogether];
};

/// The work of a block of the launch.
template <class Tile, int kVectorA, int kVectorB>
__device__ __forceinline__ void input_grad_block(const InputGradParams<typename Tile::Element>& p, const Residue& r,
                                                 unsigned block) {
  conv_block<Tile, kVectorA, kVectorB, kVectorB>(p.gemm, r.a.gather.pixels, r.steps, r.a, r.b, r.map, block);
}

/// One residue of one axis: the sweep over gy; tap i stands for the filter index filter_last - i*filter_step.
struct ResidueAxis {
  AxisPlan sweep;
  std::int64_t residue = 0, filter_last = 0, filter_step = 1;
};

inline ResidueAxis residue_axis(std::int64_t in, std::int64_t out, std::int64_t filter, std::int64_t stride, std::int64_t pad,
                         std::int64_t dilation, std::int64_t residue) {
  ResidueAxis axis;
  axis.residue = residue;
  axis.sweep.in = out;
  axis.sweep.out = conv_ceil_div(in - residue, stride);
  const std::int64_t common = std::gcd(stride, dilation);
  axis.filter_step = stride / common;
  axis.sweep.tap_step = dilation / common;
  const std::int64_t candidates = std::min(filter, axis.filter_step);
  std::int64_t first = 0;
  while (first < candidates && (residue + pad - first * dilation) % stride != 0) ++first;
  if (first >= candidates) return axis;  // no filter row meets this residue: zeros
  axis.sweep.taps = (filter - 1 - first) / axis.filter_step + 1;
  axis.filter_last = first + (axis.sweep.taps - 1) * axis.filter_step;
  axis.sweep.first = (residue + pad - axis.filter_last * dilation) / stride;
  return axis;
}

inline Residue make_residue(const ConvGeometry& g, const ConvSizes& z, std::int64_t residue_h, std::int64_t residue_w) {
  const ResidueAxis h = residue_axis(z.h, z.p, z.r, g.stride_h, g.pad_top, g.dilation_h, residue_h);
  const ResidueAxis w = residue_axis(z.w, z.q, z.s, g.stride_w, g.pad_left, g.dilation_w, residue_w);
  Residue r;
  r.a.gather = make_gather(h.sweep, w.sweep, z.images, z.group_k(), z.k);
  r.b.columns = static_cast<int>(z.group_c());
  r.b.depth = r.a.gather.columns;
  r.b.pitch = static_cast<int>(z.k);
  r.b.channels = r.a.gather.channels;
  r.b.taps_w = r.a.gather.taps_w;
  const std::int64_t entry = z.group_c() * z.k;  // of the filter
  r.b.first = static_cast<int>((h.filter_last * z.s + w.filter_last) * entry);
  r.b.step_a = static_cast<int>(h.filter_step * z.s * entry);
  r.b.step_b = static_cast<int>(w.filter_step * entry);
  r.b.by_channels = r.a.gather.by_channels;
  r.b.by_taps_w = r.a.gather.by_taps_w;
  r.map.rows_image = r.a.gather.pixels_image;
  r.map.rows_line = r.a.gather.pixels_row;
  r.map.by_image = r.a.gather.by_image;
  r.map.by_line = r.a.gather.by_row;
  r.map.first = static_cast<int>((h.residue * z.w + w.residue) * z.c);
  r.map.image = static_cast<int>(z.h * z.w * z.c);
  r.map.line = static_cast<int>(g.stride_h * z.w * z.c);
  r.map.step = static_cast<int>(g.stride_w * z.c);
  r.steps = static_cast<int>(conv_ceil_div(r.b.depth, kTileK));
  return r;
}

/// An input gradient, ready to be tiled; the first residues are in `params`.
template <class T>
struct InputGradPlan {
  InputGradParams<T> params;
  std::int64_t rows = 0, out_tasks = 0;  ///< rows of the largest residue
  std::int64_t residues_w = 1, residues = 1;
  TileChoice choice;
  SplitSum<T> parts;

  InputGradPlan(const ConvInputGrad& op, const ConvSizes& z, int pairs, ConvMath math, Context& context)
      : out_tasks(op.gx.shape[0]) {
    const ConvGeometry& g = op.geometry;
    ConvGemm<T>& gemm = params.gemm;
    bool vectors_a = z.group_k() % 4 == 0, vectors_b = vectors_a && z.group_c() % 4 == 0 && aligned(op.gx);
    for (int n = 0; n < pairs; ++n) {
      gemm.a[n] = op.gy[n].as<T>(), gemm.a_task[n] = task_stride(op.gy[n]);
      gemm.b[n] = op.w[n].as<T>(), gemm.b_task[n] = task_stride(op.w[n]);
      vectors_a = vectors_a && aligned(op.gy[n]);
      vectors_b = vectors_b && aligned(op.w[n]);
    }
    gemm.pairs = pairs;
    gemm.a_group = gemm.b_group = static_cast<int>(z.group_k());
    gemm.out_group = static_cast<int>(z.group_c());
    gemm.groups = static_cast<int>(z.groups);
    gemm.columns = static_cast<int>(z.group_c());

    residues_w = std::min(g.stride_w, z.w);
    residues = std::min(g.stride_h, z.h) * residues_w;
    rows = z.images * conv_ceil_div(z.h, g.stride_h) * conv_ceil_div(z.w, g.stride_w);
    const std::int64_t depth = z.r * z.s * z.group_k();
    if (residues == 1) {
      const std::int64_t steps = conv_ceil_div(depth, kTileK);
      cut_steps(gemm, steps, depth_chunks(rows, gemm.columns, z.groups, steps));
    }
    parts = SplitSum<T>(gemm, op.gx, z.x_size(), z.tasks, rows * residues, context);
    choice = fit_for_join(gemm, choose_tile(math, vectors_of(vectors_a, vectors_b), rows, gemm.columns, depth,
                                            out_tasks * z.groups * residues * gemm.piece_groups));
    take_residues(g, z, 0);
  }

  /// Puts the residues from `first` on into `params`; how many there are.
  unsigned take_residues(const ConvGeometry& g, const ConvSizes& z, std::int64_t first) {
    const std::int64_t here = std::min<std::int64_t>(kResiduesTogether, residues - first);
    for (std::int64_t i = 0; i < here; ++i)
      params.residues[i] = make_residue(g, z, (first + i) / residues_w, (first + i) % residues_w);
    return static_cast<unsigned>(here);
  }
};

/// The sizes of a call, checked.
inline ConvSizes sizes_of(const ConvInputGrad& op, int pairs) {
  const ConvSizes z = conv_sizes(
      ConvInputGrad::kName, op.geometry, pairs, [&](int) -> ConstView { return op.gx; }, [&](int n) { return op.w[n]; },
      [&](int n) { return op.gy[n]; });
  check_extents(ConvInputGrad::kName, op.geometry, z);
  return z;
}

}  // namespace innerloop::kernels::cuda
