// The kernels of conv_spatial.h: forward, with a norm behind it where it is small (conv_stages.h), and the input's gradient.
#include "kernels/cuda/conv_spatial_tile.cuh"
#include "kernels/cuda/norm_dispatch.h"
#include "kernels/cuda/norm_forward.cuh"
#include "kernels/cuda/norm_stage.cuh"
#include "kernels/cuda/norm_tangent.cuh"

namespace innerloop::kernels::cuda {
namespace {

template <ConvMath kMath, int kWarpsN, Direction kDirection>
__global__ void __launch_bounds__(128 * kWarpsN, kSpatialBlocks<kWarpsN>)
    conv_spatial_kernel(const __grid_constant__ SpatialParams p) {
  grid_dependency_sync();
  spatial_block<kMath, kWarpsN, kDirection>(p, [] { return blockIdx.x; });
}

/// The threads of a narrow block make the sums.
using BehindSpatial = NormStage<PickedForwardPass<float, kPickWidth>, PickedTangentPass<float, kPickWidth>, 128>;

struct StagedSpatialParams {
  SpatialParams conv;
  BehindSpatial norm;
};

template <ConvMath kMath, int kWarpsN>
__global__ void __launch_bounds__(128 * kWarpsN, kSpatialBlocks<kWarpsN>)
    conv_spatial_norm_kernel(const __grid_constant__ StagedSpatialParams p) {
  grid_dependency_sync();
  const Stages& stages = p.norm.stages;
  IL_SHARED(unsigned, place, [1]);
  stages.take_place(place);
  if (place[0] < stages.first) {
    spatial_block<kMath, kWarpsN, Direction::kForward>(p.conv, [&] { return place[0]; });
    stages.announce(place[0] / stages.first_of_task);
  } else {
    IL_DYNAMIC_SHARED(double, shared);
    run_behind<128 * kWarpsN>(p.norm, place[0], shared);
  }
}

BehindSpatial stage_of(const BesideForward& beside, NormGrid& grid) {
  BehindSpatial stage;
  if (const NormForwardMoments* k = beside.norm; k != nullptr) {
    const auto pass = forward_pass<float, kPickWidth, 2>(k->norm);
    grid = pass.grid;
    stage.of_first = {{pass, {k->moments, k->unit, grid}}, k->picked.as<float>()};
  } else {
    const NormJvpMoments& t = *beside.norm_jvp;
    const auto pass = tangent_pass<float, kPickWidth, 2>(t.norm);
    grid = pass.grid, stage.second = true;
    stage.of_second = {{pass, {t.moments, t.unit, grid}}, t.picked.as<float>(), t.tpicked.as<float>(), pass.choice, pass.tp};
  }
  return stage;
}

/// `behind`: a forward convolution's, where it has a norm behind it, or null.
template <ConvMath kMath, int kWarpsN, Direction kDirection>
void launch_spatial(SpatialParams& p, std::int64_t tasks, std::string_view op, const BesideForward* behind, Context& context) {
  using Tile = SpatialTile<kMath, kWarpsN, kDirection>;
  p.tiles_n = spatial_tiles(p.columns, Tile::kBlockN);
  const std::int64_t blocks = count_blocks(p, tasks, op);
  const auto launch_here = [&](auto* kernel, std::int64_t all, std::size_t shared, const auto& params) {
    launch(kernel, dim3(static_cast<unsigned>(all)), dim3(Tile::kThreads), std::max(spatial_shared<Tile>(p), shared), stream_of(context), params);
  };
  if constexpr (kDirection == Direction::kForward) {
    if (behind != nullptr) {
      const auto count = static_cast<unsigned>(blocks);
      NormGrid grid;
      StagedSpatialParams both{p, stage_of(*behind, grid)};
      both.norm.stand_behind(grid, count, count / grid.tasks, tickets_of(context));
      return launch_here(conv_spatial_norm_kernel<kMath, kWarpsN>, both.norm.blocks(), both.norm.shared_bytes(), both);
    }
  }
  launch_here(conv_spatial_kernel<kMath, kWarpsN, kDirection>, blocks, 0, p);
}

template <ConvMath kMath, Direction kDirection>
void run_wide_or_narrow(SpatialParams& p, std::int64_t tasks, std::string_view op, const BesideForward* behind, Context& context) {
  // 64 channels want more shared memory than some devices have. No bit shows which it was.
  if (p.columns > 32 && spatial_shared<SpatialTile<kMath, 2, kDirection>>(p) <= device_of(context).shared_per_block())
    return launch_spatial<kMath, 2, kDirection>(p, tasks, op, behind, context);
  launch_spatial<kMath, 1, kDirection>(p, tasks, op, behind, context);
}

template <Direction kDirection>
void run_spatial(SpatialParams& p, std::int64_t tasks, ConvMath math, std::string_view op, Context& context,
                 const BesideForward* behind = nullptr) {
  if (math == ConvMath::kTf32) return run_wide_or_narrow<ConvMath::kTf32, kDirection>(p, tasks, op, behind, context);
  run_wide_or_narrow<ConvMath::kTf32x3, kDirection>(p, tasks, op, behind, context);
}

/// A map of h x w outputs, of which tiles compute more than a quarter for nothing, is left to the implicit GEMM.
bool tiles_fit(std::int64_t h, std::int64_t w) {
  const std::int64_t covered = spatial_tiles<std::int64_t>(h, kSpatialRows) * kSpatialRows *
                               spatial_tiles<std::int64_t>(w, kSpatialColumns) * kSpatialColumns;
  return h > 0 && w > 0 && 4 * h * w >= 3 * covered;
}

bool all_aligned(const ConstView (&a)[2], const ConstView (&b)[2], const ConstView& out) {
  return aligned(a[0]) && aligned(a[1]) && aligned(b[0]) && aligned(b[1]) && aligned(out);
}

}  // namespace

bool suits_spatial_tiles(const ConvGeometry& g, const ConstView& w, const Shape& out, ConvMath math) {
  const auto small = [](std::int64_t pad) { return pad >= 0 && pad <= 2; };
  return math != ConvMath::kFp32 && w.dtype == DType::kF32 && w.shape.rank() == 5 && out.rank() == 5 && w.shape[1] == 3 &&
         w.shape[2] == 3 && g.stride_h == 1 && g.stride_w == 1 && g.dilation_h == 1 && g.dilation_w == 1 && g.groups == 1 &&
         small(g.pad_top) && small(g.pad_left) && w.shape[3] % 4 == 0 && w.shape[4] % 4 == 0 && w.shape[3] >= 8 &&
         w.shape[4] >= 8 && tiles_fit(out[2], out[3]);
}

bool suits_spatial(const ConvForward& op, ConvMath math) {
  return suits_spatial_tiles(op.geometry, op.w[0], op.y.shape, math) && all_aligned(op.x, op.w, op.y);
}

bool suits_spatial(const ConvInputGrad& op, ConvMath math) {
  // Of a gradient that adds tasks up a block would have to take one after another.
  const std::int64_t tasks = std::max({op.gy[0].shape[0], op.w[0].shape[0], op.gy[1] ? op.gy[1].shape[0] : 1, op.w[1] ? op.w[1].shape[0] : 1});
  return suits_spatial_tiles(op.geometry, op.w[0], op.gx.shape, math) && op.gx.shape[0] == tasks && all_aligned(op.gy, op.w, op.gx);
}

void conv_spatial(const ConvForward& op, const BesideForward& beside, ConvMath math, Context& context) {
  const ConvMoments& moments = beside.moments;
  const int pairs = count_pairs(ConvForward::kName, op.x, op.w);
  const ConvSizes z = conv_sizes(
      ConvForward::kName, op.geometry, pairs, [&](int n) { return op.x[n]; }, [&](int n) { return op.w[n]; },
      [&](int) -> ConstView { return op.y; });
  check_extents(ConvForward::kName, op.geometry, z);
  SpatialParams p = spatial_params(op.x, op.w, pairs, op.y, z);
  const auto narrow = [](std::int64_t n) { return static_cast<int>(n); };
  p.depth = narrow(z.c), p.columns = narrow(z.k);
  p.map = SpatialMap(z.h, z.w, z.p, z.q, op.geometry.pad_top, op.geometry.pad_left);
  p.write = {moments.to.as<float>(), moments.y.as<float>(), moments.mean.as<float>(), narrow(z.k)};
  p.picks = WritePicks(beside.picks);
  const bool has_norm = beside.norm != nullptr || beside.norm_jvp != nullptr;
  run_spatial<Direction::kForward>(p, op.y.shape[0], math, ConvForward::kName, context, has_norm ? &beside : nullptr);
}

void conv_spatial(const ConvInputGrad& op, ConvMath math, Context& context) {
  SpatialParams p = spatial_params(op, count_pairs(ConvInputGrad::kName, op.gy, op.w));
  run_spatial<Direction::kInputGrad>(p, op.gx.shape[0], math, ConvInputGrad::kName, context);
}

void conv_spatial(const ConvInputGrad& op, const MadeGradient& gy, ConvMath math, Context& context) {
  SpatialParams p = spatial_params(op, count_pairs(ConvInputGrad::kName, op.gy, op.w));
  p.made = MadeOperand(gy);
  run_spatial<Direction::kInputGradMade>(p, op.gx.shape[0], math, ConvInputGrad::kName, context);
}

}  // namespace innerloop::kernels::cuda
