// Forward convolution: rows are output pixels, k runs over taps and channels, columns are output channels. It leaves the moments of
// its output where they are asked for, and has the norm of it as a second stage.
#include "kernels/cuda/conv_picks.cuh"
#include "kernels/cuda/conv_split.cuh"
#include "kernels/cuda/conv_stages.h"
#include "kernels/cuda/dispatch.h"
#include "kernels/cuda/norm_dispatch.h"
#include "kernels/cuda/norm_forward.cuh"
#include "kernels/cuda/norm_stage.cuh"
#include "kernels/cuda/norm_tangent.cuh"

namespace innerloop::kernels::cuda {
namespace {

/// What a block leaves of its whole sums beside them.
template <class T>
struct WriteBeside : WriteMoments<T> {
  WindowOrder order;  ///< of the rows
  WritePicks picks;   ///< of float32, where rows have windows; wanted only with moments

  template <class Tile>
  __device__ __forceinline__ void take(const Tile& tile, const TilePlace& at, int pixels, int columns, T* shared) const {
    this->take_rows(tile, at, pixels, columns, order, shared);
    if constexpr (sizeof(T) == sizeof(float)) {
      if (picks.values != nullptr) picks.take_rows<Tile>(at, columns, order, shared);
    }
  }
};

template <class T>
struct ForwardParams {
  ConvGemm<T> gemm;
  WindowRows a;
  DenseColumns b;
  int steps;
  WriteBeside<T> write;

  /// Where an output row lies.
  __device__ __forceinline__ auto map() const {
    return [this](int row) { return a.order.pixel(row) * b.pitch; };
  }
};

/// Without moments the norm reads y.
using ForwardStage = NormStage<EitherForwardPass<float, kPickWidth>, EitherTangentPass<float, kPickWidth>, 64>;

struct StagedForwardParams : ForwardParams<float> {
  ForwardStage norm;
};

/// On a multiprocessor: five blocks of float64 leave no registers for the moments.
template <class Tile>
inline constexpr int kForwardBlocksSm = sizeof(typename Tile::Element) == 8 ? 4 : Tile::kBlocksSm;

template <class Tile, int kVectorA, int kVectorB>
__global__ void __launch_bounds__(Tile::kThreads, kForwardBlocksSm<Tile>)
    conv_forward_kernel(const __grid_constant__ ForwardParams<typename Tile::Element> p) {
  grid_dependency_sync();
  conv_block<Tile, kVectorA, kVectorB, kVectorB>(p.gemm, p.a.gather.pixels, p.steps, p.a, p.b, p.map(), blockIdx.x, p.write);
}

template <class Tile>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kBlocksSm) conv_norm_kernel(const __grid_constant__ StagedForwardParams p) {
  grid_dependency_sync();
  const Stages& stages = p.norm.stages;
  IL_SHARED(unsigned, place, [1]);
  stages.take_place(place);
  if (place[0] < stages.first) {
    const bool whole = conv_block<Tile, 4, 4, 4>(p.gemm, p.a.gather.pixels, p.steps, p.a, p.b, p.map(), place[0], p.write);
    if (whole) stages.announce(place[0] / stages.first_of_task);
  } else {
    IL_DYNAMIC_SHARED(double, shared);
    run_behind<Tile::kThreads>(p.norm, place[0], shared);
  }
}

/// Of `depth` terms a sum.
std::int64_t chunks_of(std::int64_t rows, std::int64_t columns, std::int64_t groups, std::int64_t depth) {
  return depth_chunks(rows, columns, groups, conv_ceil_div(depth, kTileK));
}

/// The norm's moments, or none.
template <int kLines, class Norm>
UnitsOfMoments<float, kPickWidth, kLines> units_of(const Norm& norm, const NormGrid& grid) {
  if (!norm.moments) return {};
  return {norm.moments, norm.unit, grid};
}

/// The convolution in small tiles, of which a task with few pixels has the more, and its norm behind it.
template <ConvMath kMath>
void launch_staged(StagedForwardParams params, std::int64_t rows, std::int64_t tasks, const BesideForward& beside, Context& context) {
  using Tile = MmaTile<kMath, kSmallM / 32, kSmallN / 32, Major::kAlongK, Major::kAcrossK>;
  cut_tiles<Tile>(ConvForward::kName, params.gemm, rows, tasks);
  NormGrid grid;
  if (beside.norm != nullptr) {
    const auto pass = forward_pass<float, kPickWidth, 2>(beside.norm->norm);
    grid = pass.grid;
    params.norm.of_first = {{{pass, units_of<kOutputMoments>(*beside.norm, grid)}, beside.norm->picked.as<float>()}};
  } else {
    const auto pass = tangent_pass<float, kPickWidth, 2>(beside.norm_jvp->norm);
    grid = pass.grid;
    params.norm.of_second = {{pass, units_of<kTangentMoments>(*beside.norm_jvp, grid)}, beside.norm_jvp->tpicked.as<float>()};
  }
  params.norm.second = beside.norm == nullptr;
  const auto blocks = static_cast<unsigned>(params.gemm.blocks);
  params.norm.stand_behind(grid, blocks, blocks / static_cast<unsigned>(params.gemm.piece_groups) / grid.tasks, tickets_of(context));
  if (params.gemm.tickets != nullptr) params.gemm.tickets += Stages::counters_for(tasks);
  launch(conv_norm_kernel<Tile>, dim3(params.norm.blocks()), dim3(Tile::kThreads),
         std::max(kConvShared<Tile>, params.norm.shared_bytes()), stream_of(context), params);
}

template <class T>
void forward(const ConvForward& op, const BesideForward& beside, const ConvSizes& z, int pairs, ConvMath math, Context& context) {
  const ConvGeometry& g = op.geometry;
  const ConvMoments& moments = beside.moments;
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
  params.write = {{moments.to.as<T>(), moments.y.as<T>(), moments.mean.as<T>(), static_cast<int>(z.k)}, {}, {}};
  if (beside.picks.values) {
    params.write.picks = WritePicks(beside.picks);
    params.a.order = params.write.order = WindowOrder(z.images, z.p, z.q);
  }
  const SplitSum<T> parts(gemm, op.y, z.y_size(), z.tasks, rows, context);
  if constexpr (sizeof(T) == sizeof(float)) {
    if (beside.norm != nullptr || beside.norm_jvp != nullptr) {
      if (math == ConvMath::kTf32) return launch_staged<ConvMath::kTf32>({params, {}}, rows, z.tasks, beside, context);
      return launch_staged<ConvMath::kTf32x3>({params, {}}, rows, z.tasks, beside, context);
    }
  }
  const TileChoice choice =
      fit_for_join(gemm, choose_tile(math, vectors_of(vectors_a, vectors_b), rows, gemm.columns, depth,
                                     z.tasks * z.groups * gemm.piece_groups));
  with_tile<T, Major::kAlongK, Major::kAcrossK>(choice, [&]<class Tile, int kVectorA, int kVectorB>() {
    launch_conv<Tile>(ConvForward::kName, conv_forward_kernel<Tile, kVectorA, kVectorB>, params, rows, z.tasks, 1,
                      context);
  });
}

void check_picks(const ConvForwardMoments& k, const MomentUnits& units) {
  const ConvPicks& picks = k.picks;
  if (!picks.values) return;
  const bool tangent = bool{k.moments.y};
  const ConstView choice = tangent ? picks.positions : ConstView(picks.choice);
  IL_CHECK(leaves_picks(k.conv, units, Pool::kMax2x2, picks.values, choice),
           "{}: picks {} with choices {} cannot be left of the output {}", k.kName, picks.values.shape.to_string(),
           choice.shape.to_string(), k.conv.y.shape.to_string());
  const bool tiles = units.unit == MomentUnit::kTile;
  IL_CHECK(tangent != bool{picks.choice} && (!picks.of || (tangent && tiles && picks.of.shape == picks.values.shape)),
           "{}: a tangent's picks take the choice and may, by tiles of an image, write y's as well; an output's write the choice", k.kName);
}

void check(const ConvForwardMoments& k) {
  const MomentUnits units = moment_units(k.conv, conv_math());
  const Shape& y = k.conv.y.shape;
  IL_CHECK(units.count > 0 && k.moments.to.shape == Shape({y[0], units.count, k.moments.lines(), y[4]}) && k.moments.to.dtype == k.conv.y.dtype,
           "{}: moments {} do not fit the output {}, which has {} units a task", k.kName, k.moments.to.shape.to_string(),
           y.to_string(), units.count);
  IL_CHECK(!k.moments.y || (k.moments.y.shape == y && k.moments.mean.shape == Shape({y[0], y[4]})),
           "{}: {} and its mean {} do not fit the tangent {}", k.kName, k.moments.y.shape.to_string(),
           k.moments.mean.shape.to_string(), y.to_string());
  check_picks(k, units);
}

void run_here(const ConvForwardMoments& k, Context& context) {
  check(k);
  conv_own(k.conv, {k.moments, k.picks}, conv_math(), context);
}

/// A convolution that leaves moments, or none, and its norm.
template <class K>
void check_staged(const K& k) {
  IL_CHECK(suits_stages(k), "{}: these operands need two launches; use suits_stages()", K::kName);
  if (k.conv.moments.to) check(k.conv);
}

void run_here(const ConvNorm& k, Context& context) {
  check_staged(k);
  conv_own(k.conv.conv, {k.conv.moments, k.conv.picks, &k.norm}, conv_math(), context);
}

void run_here(const ConvNormJvp& k, Context& context) {
  check_staged(k);
  conv_own(k.conv.conv, {k.conv.moments, k.conv.picks, nullptr, &k.norm}, conv_math(), context);
}

IL_REGISTER_KERNEL(ConvForwardMoments);
IL_REGISTER_KERNEL(ConvNorm);
IL_REGISTER_KERNEL(ConvNormJvp);

}  // namespace

namespace {

/// Of a map that tiles of an image take, or of one of which small tiles of a tensor core do.
bool suits_behind(const ConvForwardMoments& made, const ConstView& picked) {
  const ConvForward& op = made.conv;
  const Shape &w = op.w[0].shape, &y = op.y.shape;
  if (Stages::counters_for(y[0]) > CudaDevice::kTickets) return false;
  if (suits_spatial(op, conv_math())) return static_cast<bool>(picked);
  const std::int64_t rows = y[1] * y[2] * y[3], tiles = conv_ceil_div(rows, kSmallM) * conv_ceil_div(y[4], kSmallN);
  bool vectors = w[3] % 4 == 0 && aligned(op.y);
  for (int n = 0; n < 2; ++n) vectors = vectors && aligned(op.x[n]) && aligned(op.w[n]);
  return vectors && suits_tensor_cores(y[4], w[1] * w[2] * w[3]) &&
         Stages::counters_for(y[0]) + y[0] * tiles <= CudaDevice::kTickets;
}

}  // namespace

bool suits_stages(const ConvNorm& k) {
  const NormReluPoolForward& n = k.norm.norm;
  return stages_wanted(k.conv.conv.geometry, k.conv.conv.w[0], n.y.shape, n.pool, {n.y, n.p, n.choice, n.chosen}) &&
         suits_behind(k.conv, k.norm.picked);
}

bool suits_stages(const ConvNormJvp& k) {
  const NormReluPoolJvp& n = k.norm.norm;
  return stages_wanted(k.conv.conv.geometry, k.conv.conv.w[0], n.y.shape, n.pool, {n.y, n.ty, n.tp, n.choice, n.chosen, n.tchosen}) &&
         suits_behind(k.conv, k.norm.picked);
}

MomentUnits moment_units(const ConvForward& op, ConvMath math) {
  const Shape &w = op.w[0].shape, &y = op.y.shape;
  if (w.rank() != 5 || y.rank() != 5 || op.geometry.groups < 1) return {};  // the convolution says what is wrong
  const std::int64_t pixels = y[1] * y[2] * y[3], groups = op.geometry.groups;
  if (pixels < kMomentPixels) return {};
  if (suits_spatial(op, math)) return {count_units(y, MomentUnit::kTile), MomentUnit::kTile};
  if (chunks_of(pixels, y[4] / groups, groups, w[1] * w[2] * w[3]) > 1) return {};
  return {count_units(y, MomentUnit::kRun), MomentUnit::kRun};
}

bool leaves_picks(const ConvForward& op, const MomentUnits& units, Pool pool, const ConstView& p, const ConstView& choice) {
  const Shape& y = op.y.shape;
  return units.count > 0 && pool == Pool::kMax2x2 && p && choice && y.rank() == 5 && op.geometry.groups == 1 && y[4] % 4 == 0 &&
         p.shape == y.with(2, y[2] / 2).with(3, y[3] / 2) && choice.shape == p.shape && p.dtype == DType::kF32 && aligned(p) &&
         reinterpret_cast<std::uintptr_t>(choice.data) % 4 == 0;
}

void conv_own(const ConvForward& op, ConvMath math, Context& context) { conv_own(op, BesideForward{}, math, context); }

void conv_own(const ConvForward& op, const BesideForward& beside, ConvMath math, Context& context) {
  const int pairs = count_pairs(ConvForward::kName, op.x, op.w);
  const ConvSizes z = conv_sizes(
      ConvForward::kName, op.geometry, pairs, [&](int n) { return op.x[n]; }, [&](int n) { return op.w[n]; },
      [&](int) -> ConstView { return op.y; });
  if (op.y.shape.numel() == 0) return;
  check_extents(ConvForward::kName, op.geometry, z);
  if (suits_spatial(op, math)) return conv_spatial(op, beside, math, context);
  with_float(op.y.dtype, ConvForward::kName, [&]<class T>(T) { forward<T>(op, beside, z, pairs, math, context); });
}

}  // namespace innerloop::kernels::cuda
