// Weight gradient: rows are taps and input channels, k runs over pixels, columns are output channels.
//
// The pixels of a task are cut into chunks by shape alone. Where tiles and tasks fill the device, a block sums all
// chunks of its tile in order; else each chunk has a block of its own that leaves a partial gradient in scratch memory,
// and a second kernel joins the partials in the same order. Both give the same bits.
#include "kernels/cuda/conv_launch.cuh"
#include "kernels/cuda/dispatch.h"
#include "kernels/cuda/grid.h"

namespace innerloop::kernels::cuda {
namespace {

constexpr std::int64_t kChunkPixels = 256;  // fewer would not pay for writing and joining a partial gradient
constexpr std::int64_t kMaxChunks = 16;
constexpr std::int64_t kMaxScratchBytes = std::int64_t{512} << 20;

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

template <class T, int kVector>
void join(const T* parts, T* out, std::int64_t size, int pieces, std::int64_t out_tasks, Context& context) {
  const std::int64_t count = out_tasks * size;
  launch(conv_join_kernel<T, kVector>, dim3(blocks_for(count, kVector)), dim3(kBlock), 0, stream_of(context), parts,
         out, size, pieces, count);
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

  const std::int64_t chunk = std::max(kChunkPixels, conv_ceil_div(pixels, kMaxChunks));
  gemm.steps_chunk = static_cast<int>(conv_ceil_div(chunk, kTileK));
  gemm.chunks = static_cast<int>(std::max<std::int64_t>(1, conv_ceil_div(params.steps, gemm.steps_chunk)));
  const int pieces = static_cast<int>(z.tasks / out_tasks) * gemm.chunks;
  const std::int64_t rows = params.a.gather.columns;
  const std::int64_t copies = out_tasks * z.groups;
  const std::int64_t whole = conv_ceil_div(rows, kSmallM) * conv_ceil_div(gemm.columns, kSmallN) * copies;
  const std::int64_t scratch_bytes = out_tasks * pieces * size * static_cast<std::int64_t>(sizeof(T));
  const bool split = pieces > 1 && whole < 2 * kFullWave && scratch_bytes <= kMaxScratchBytes;
  const auto scratch = split ? context.arena().allocate(static_cast<std::size_t>(scratch_bytes)) : nullptr;
  T* const parts = static_cast<T*>(scratch.get());
  gemm.out = split ? parts : op.gw.as<T>();
  gemm.out_task = split ? pieces * size : size;
  gemm.out_piece = split ? size : 0;
  gemm.piece_groups = split ? pieces : 1;
  gemm.pieces_here = split ? 1 : pieces;

  const TileChoice choice =
      choose_tile(math, vectors_of(vectors_a, vectors_b), rows, gemm.columns, pixels, copies * gemm.piece_groups);
  with_tile<T, Major::kAcrossK, Major::kAcrossK>(choice, [&]<class Tile, int kVectorA, int kVectorB>() {
    launch_conv<Tile>(ConvWeightGrad::kName, conv_weight_grad_kernel<Tile, kVectorA, kVectorB>, params, rows, out_tasks,
                      1, context);
  });
  if (!split) return;
  if constexpr (sizeof(T) == 4) {
    if (vectors_b) return join<T, 4>(parts, op.gw.as<T>(), size, pieces, out_tasks, context);
  }
  join<T, 1>(parts, op.gw.as<T>(), size, pieces, out_tasks, context);
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
