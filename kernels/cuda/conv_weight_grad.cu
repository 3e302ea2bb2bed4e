// Weight gradient: rows are taps and input channels, k runs over pixels, columns are output channels.
//
// The pixels of a task are cut into chunks by shape alone, which blocks share or not (conv_split.cuh).
#include "kernels/cuda/conv_split.cuh"
#include "kernels/cuda/dispatch.h"

namespace innerloop::kernels::cuda {
namespace {

constexpr std::int64_t kChunkPixels = 256;  // fewer would not pay for writing and joining a partial gradient
constexpr std::int64_t kMaxChunks = 16;

template <class T>
struct WeightGradParams {
  ConvGemm<T> gemm;
  FilterRows a;
  DenseColumns b;
  int steps;
};

template <class Tile, int kVectorA, int kVectorB>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kBlocksSm)
    conv_weight_grad_kernel(const __grid_constant__ WeightGradParams<typename Tile::Element> p) {
  conv_block<Tile, kVectorA, kVectorB, kVectorB>(p.gemm, p.a.gather.columns, p.steps, p.a, p.b,
                                                 [&](int row) { return row * p.b.pitch; });
}

template <class T>
void weight_grad(const ConvWeightGrad& op, const ConvSizes& z, int pairs, ConvMath math, Context& context) {
  const ConvGeometry& g = op.geometry;
  WeightGradParams<T> params;
  ConvGemm<T>& gemm = params.gemm;
  bool vectors_a = z.group_c() % 4 == 0, vectors_b = z.group_k() % 4 == 0 && aligned(op.gw);
  for (int n = 0; n < pairs; ++n) {
    gemm.a[n] = op.x[n].as<T>(), gemm.a_task[n] = task_stride(op.x[n]);
    gemm.b[n] = op.gy[n].as<T>(), gemm.b_task[n] = task_stride(op.gy[n]);
    vectors_a = vectors_a && aligned(op.x[n]);
    vectors_b = vectors_b && aligned(op.gy[n]);
  }
  const std::int64_t out_tasks = op.gw.shape[0], size = z.w_size(), pixels = z.images * z.p * z.q;
  gemm.pairs = pairs;
  gemm.a_group = static_cast<int>(z.group_c());
  gemm.b_group = gemm.out_group = static_cast<int>(z.group_k());
  gemm.groups = static_cast<int>(z.groups);
  gemm.columns = static_cast<int>(z.group_k());
  params.a.gather = make_gather({z.h, z.p, g.stride_h, -g.pad_top, z.r, g.dilation_h},
                                {z.w, z.q, g.stride_w, -g.pad_left, z.s, g.dilation_w}, z.images, z.group_c(), z.c);
  params.b = {gemm.columns, static_cast<int>(pixels), static_cast<int>(z.k)};
  params.steps = static_cast<int>(conv_ceil_div(pixels, kTileK));

  cut_steps(gemm, params.steps, std::min(kMaxChunks, conv_ceil_div(pixels, kChunkPixels)));
  const std::int64_t rows = params.a.gather.columns;
  const SplitSum<T> sum(gemm, op.gw, size, z.tasks, rows, context);
  const TileChoice choice = choose_tile(math, vectors_of(vectors_a, vectors_b), rows, gemm.columns, pixels,
                                        out_tasks * z.groups * gemm.piece_groups);
  with_tile<T, Major::kAcrossK, Major::kAcrossK>(choice, [&]<class Tile, int kVectorA, int kVectorB>() {
    launch_conv<Tile>(ConvWeightGrad::kName, conv_weight_grad_kernel<Tile, kVectorA, kVectorB>, params, rows, out_tasks,
                      1, context);
  });
  sum.join(context);
}

}  // namespace

void conv_own(const ConvWeightGrad& op, ConvMath math, Context& context) {
  const int pairs = count_pairs(ConvWeightGrad::kName, op.x, op.gy);
  const ConvSizes z = conv_sizes(
      ConvWeightGrad::kName, op.geometry, pairs, [&](int n) { return op.x[n]; },
      [&](int) -> ConstView { return op.gw; }, [&](int n) { return op.gy[n]; });
  if (op.gw.shape.numel() == 0) return;
  check_extents(ConvWeightGrad::kName, op.geometry, z);
  with_float(op.gw.dtype, ConvWeightGrad::kName, [&]<class T>(T) { weight_grad<T>(op, z, pairs, math, context); });
}

}  // namespace innerloop::kernels::cuda
