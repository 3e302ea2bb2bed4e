// Forward convolution: rows are output pixels, k runs over taps and channels, columns are output channels.
#include "kernels/cuda/conv_split.cuh"
#include "kernels/cuda/dispatch.h"

namespace innerloop::kernels::cuda {
namespace {

template <class T>
struct ForwardParams {
  ConvGemm<T> gemm;
  PixelRows a;
  DenseColumns b;
  int steps;
};

template <class Tile, int kVectorA, int kVectorB>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kBlocksSm)
    conv_forward_kernel(const __grid_constant__ ForwardParams<typename Tile::Element> p) {
  conv_block<Tile, kVectorA, kVectorB, kVectorB>(p.gemm, p.a.gather.pixels, p.steps, p.a, p.b,
                                                 [&](int row) { return row * p.b.pitch; }, blockIdx.x);
}

template <class T>
void forward(const ConvForward& op, const ConvSizes& z, int pairs, ConvMath math, Context& context) {
  const ConvGeometry& g = op.geometry;
  ForwardParams<T> params;
  ConvGemm<T>& gemm = params.gemm;
  bool vectors_a = z.group_c() % 4 == 0, vectors_b = z.group_k() % 4 == 0 && aligned(op.y);
  for (int n = 0; n < pairs; ++n) {
    gemm.a[n] = op.x[n].as<T>(), gemm.a_task[n] = task_stride(op.x[n]);
    gemm.b[n] = op.w[n].as<T>(), gemm.b_task[n] = task_stride(op.w[n]);
    vectors_a = vectors_a && aligned(op.x[n]);
    vectors_b = vectors_b && aligned(op.w[n]);
  }
  gemm.pairs = pairs;
  gemm.a_group = static_cast<int>(z.group_c());
  gemm.b_group = gemm.out_group = static_cast<int>(z.group_k());
  gemm.groups = static_cast<int>(z.groups);
  gemm.columns = static_cast<int>(z.group_k());
  params.a.gather = make_gather({z.h, z.p, g.stride_h, -g.pad_top, z.r, g.dilation_h},
                                {z.w, z.q, g.stride_w, -g.pad_left, z.s, g.dilation_w}, z.images, z.group_c(), z.c);
  const int depth = params.a.gather.columns;
  params.b = {gemm.columns, depth, static_cast<int>(z.k)};
  params.steps = static_cast<int>(conv_ceil_div(depth, kTileK));

  const std::int64_t rows = params.a.gather.pixels;
  cut_steps(gemm, params.steps, depth_chunks(rows, gemm.columns, z.groups, params.steps));
  const SplitSum<T> parts(gemm, op.y, z.y_size(), z.tasks, rows, context);
  const TileChoice choice =
      fit_for_join(gemm, choose_tile(math, vectors_of(vectors_a, vectors_b), rows, gemm.columns, depth,
                                     z.tasks * z.groups * gemm.piece_groups));
  with_tile<T, Major::kAlongK, Major::kAcrossK>(choice, [&]<class Tile, int kVectorA, int kVectorB>() {
    launch_conv<Tile>(ConvForward::kName, conv_forward_kernel<Tile, kVectorA, kVectorB>, params, rows, z.tasks, 1,
                      context);
  });
}

}  // namespace

void conv_own(const ConvForward& op, ConvMath math, Context& context) {
  const int pairs = count_pairs(ConvForward::kName, op.x, op.w);
  const ConvSizes z = conv_sizes(
      ConvForward::kName, op.geometry, pairs, [&](int n) { return op.x[n]; }, [&](int n) { return op.w[n]; },
      [&](int) -> ConstView { return op.y; });
  if (op.y.shape.numel() == 0) return;
  check_extents(ConvForward::kName, op.geometry, z);
  with_float(op.y.dtype, ConvForward::kName, [&]<class T>(T) { forward<T>(op, z, pairs, math, context); });
}

}  // namespace innerloop::kernels::cuda
