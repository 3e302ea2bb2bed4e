// Forward convolution: rows are output pixels, k runs over taps and channels, columns are output channels. It leaves the moments of
// its output where they are asked for.
#include "kernels/cuda/conv_moments.cuh"
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
  WriteMoments<T> write;
};

/// On a multiprocessor: five blocks of float64 leave no registers for the moments.
template <class Tile>
inline constexpr int kForwardBlocksSm = sizeof(typename Tile::Element) == 8 ? 4 : Tile::kBlocksSm;

template <class Tile, int kVectorA, int kVectorB>
__global__ void __launch_bounds__(Tile::kThreads, kForwardBlocksSm<Tile>)
    conv_forward_kernel(const __grid_constant__ ForwardParams<typename Tile::Element> p) {
  grid_dependency_sync();
  conv_block<Tile, kVectorA, kVectorB, kVectorB>(p.gemm, p.a.gather.pixels, p.steps, p.a, p.b,
                                                 [&](int row) { return row * p.b.pitch; }, blockIdx.x, p.write);
}

/// Of `depth` terms a sum.
std::int64_t chunks_of(std::int64_t rows, std::int64_t columns, std::int64_t groups, std::int64_t depth) {
  return depth_chunks(rows, columns, groups, conv_ceil_div(depth, kTileK));
}

template <class T>
void forward(const ConvForward& op, const ConvMoments& moments, const ConvSizes& z, int pairs, ConvMath math,
             Context& context) {
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
  cut_steps(gemm, params.steps, chunks_of(rows, gemm.columns, z.groups, depth));
  params.write = {moments.to.as<T>(), moments.y.as<T>(), moments.mean.as<T>(), static_cast<int>(z.k)};
  const SplitSum<T> parts(gemm, op.y, z.y_size(), z.tasks, rows, context);
  const TileChoice choice =
      fit_for_join(gemm, choose_tile(math, vectors_of(vectors_a, vectors_b), rows, gemm.columns, depth,
                                     z.tasks * z.groups * gemm.piece_groups));
  with_tile<T, Major::kAlongK, Major::kAcrossK>(choice, [&]<class Tile, int kVectorA, int kVectorB>() {
    launch_conv<Tile>(ConvForward::kName, conv_forward_kernel<Tile, kVectorA, kVectorB>, params, rows, z.tasks, 1,
                      context);
  });
}

void check_picks(const ConvForwardMoments& k, MomentUnit unit) {
  const ConvPicks& picks = k.picks;
  if (!picks.values) return;
  const bool tangent = bool{k.moments.y};
  const ConstView choice = tangent ? picks.positions : ConstView(picks.choice);
  IL_CHECK(leaves_picks(k.conv, unit, Pool::kMax2x2, picks.values, choice),
           "{}: picks {} with choices {} cannot be left of the output {}", k.kName, picks.values.shape.to_string(),
           choice.shape.to_string(), k.conv.y.shape.to_string());
  IL_CHECK(tangent != bool{picks.choice} && (!picks.of || (tangent && picks.of.shape == picks.values.shape)),
           "{}: a tangent's picks take the choice and may write y's as well, an output's write the choice", k.kName);
}

void run_here(const ConvForwardMoments& k, Context& context) {
  const MomentUnits units = moment_units(k.conv, conv_math());
  const Shape& y = k.conv.y.shape;
  IL_CHECK(units.count > 0 && k.moments.to.shape == Shape({y[0], units.count, k.moments.lines(), y[4]}) && k.moments.to.dtype == k.conv.y.dtype,
           "{}: moments {} do not fit the output {}, which has {} units a task", k.kName, k.moments.to.shape.to_string(),
           y.to_string(), units.count);
  IL_CHECK(!k.moments.y || (k.moments.y.shape == y && k.moments.mean.shape == Shape({y[0], y[4]})),
           "{}: {} and its mean {} do not fit the tangent {}", k.kName, k.moments.y.shape.to_string(),
           k.moments.mean.shape.to_string(), y.to_string());
  check_picks(k, units.unit);
  conv_own(k.conv, k.moments, k.picks, conv_math(), context);
}

IL_REGISTER_KERNEL(ConvForwardMoments);

}  // namespace

MomentUnits moment_units(const ConvForward& op, ConvMath math) {
  const Shape &w = op.w[0].shape, &y = op.y.shape;
  if (w.rank() != 5 || y.rank() != 5 || op.geometry.groups < 1) return {};  // the convolution says what is wrong
  const std::int64_t pixels = y[1] * y[2] * y[3], groups = op.geometry.groups;
  if (pixels < kMomentPixels) return {};
  if (suits_spatial(op, math)) return {count_units(y, MomentUnit::kTile), MomentUnit::kTile};
  if (chunks_of(pixels, y[4] / groups, groups, w[1] * w[2] * w[3]) > 1) return {};
  return {count_units(y, MomentUnit::kRun), MomentUnit::kRun};
}

bool leaves_picks(const ConvForward& op, MomentUnit unit, Pool pool, const ConstView& p, const ConstView& choice) {
  const Shape& y = op.y.shape;
  return unit == MomentUnit::kTile && pool == Pool::kMax2x2 && p && choice && y.rank() == 5 &&
         p.shape == y.with(2, y[2] / 2).with(3, y[3] / 2) && choice.shape == p.shape && p.dtype == DType::kF32 && aligned(p) &&
         reinterpret_cast<std::uintptr_t>(choice.data) % 4 == 0;
}

void conv_own(const ConvForward& op, ConvMath math, Context& context) { conv_own(op, {}, {}, math, context); }

void conv_own(const ConvForward& op, const ConvMoments& moments, const ConvPicks& picks, ConvMath math, Context& context) {
  const int pairs = count_pairs(ConvForward::kName, op.x, op.w);
  const ConvSizes z = conv_sizes(
      ConvForward::kName, op.geometry, pairs, [&](int n) { return op.x[n]; }, [&](int n) { return op.w[n]; },
      [&](int) -> ConstView { return op.y; });
  if (op.y.shape.numel() == 0) return;
  check_extents(ConvForward::kName, op.geometry, z);
  if (suits_spatial(op, math)) return conv_spatial(op, moments, picks, math, context);
  with_float(op.y.dtype, ConvForward::kName, [&]<class T>(T) { forward<T>(op, moments, z, pairs, math, context); });
}

}  // namespace innerloop::kernels::cuda
