// Our own convolution by tiles of an image: what a block of 3x3 taps reads of its input it reads once.
//
// In the implicit GEMM of conv_gemm.cuh each tap gathers its input again, which the second-level cache has to serve nine times; with 16 or
// 32 output channels there are too few products for each value to hide that. Here a block has a tile of kSpatialRows x kSpatialColumns
// pixels of one image, lays the input under it and its border down in shared memory, 16 channels at a time, and all nine taps read it there.
//
// For: float32 on tensor cores, 3x3, stride 1, dilation 1, one group, channels in fours, and maps that tiles cover without much
// waste. By shape, alignment and mode alone, never by the number of tasks. The order of a sum over channels and taps: pairs, then 16
// channels at a time, then taps; over pixels: parts of a task's tiles, then tiles, then pairs.
#pragma once

#include "kernels/cuda/conv_own.h"

namespace innerloop::kernels::cuda {

inline constexpr int kSpatialRows = 8, kSpatialColumns = 16;

/// Tiles along an axis of a map.
template <class N>
constexpr N spatial_tiles(N extent, int tile) {
  const auto t = static_cast<N>(tile);
  return (extent + t - 1) / t;
}

/// Whether conv_own() takes these tiles for an operation whose operands fit each other.
bool suits_spatial(const ConvForward& op, ConvMath math);
bool suits_spatial(const ConvInputGrad& op, ConvMath math);
bool suits_spatial(const ConvWeightGrad& op, ConvMath math);
/// What the three ask in common, of weights w [T|1, 3, 3, C, K] and the map `out` that is tiled.
bool suits_spatial_tiles(const ConvGeometry& geometry, const ConstView& w, const Shape& out, ConvMath math);

struct BesideForward;
struct ConvGradsStep;
struct MadeGradient;
struct NormAhead;
struct WeightStep;
void conv_spatial(const ConvForward& op, const BesideForward& beside, ConvMath math, Context& context);
void conv_spatial(const ConvInputGrad& op, ConvMath math, Context& context);
/// With a step, op.gw takes the weights after it (conv_step.h).
void conv_spatial(const ConvWeightGrad& op, const WeightStep& step, ConvMath math, Context& context);

/// Both gradients in one launch, whose blocks are for 32 channels each; and, where it is wanted, the norm that makes gy, and its tangent, ahead
/// of them (conv_stages.h).
void conv_spatial(const ConvGradsStep& op, const NormAhead& norm, ConvMath math, Context& context);
/// Whether the channels are few enough to gain by that without a norm: more take wider blocks, which read their input less often.
inline bool suits_spatial_together(const Shape& w) { return w[3] <= 32 && w[4] <= 32; }

/// With a gy that the loaders make (conv_made.h): of op.gy the shapes alone matter.
void conv_spatial(const ConvInputGrad& op, const MadeGradient& gy, ConvMath math, Context& context);
void conv_spatial(const ConvWeightGrad& op, const WeightStep& step, const MadeGradient& gy, ConvMath math, Context& context);

/// Both gradients in one block, which makes gy once for the two and keeps the weights for all of its tiles (conv_made_grads.cu): for up to 32
/// channels each way and a map whose border leaves it as large as it was, where a device has the shared memory.
bool suits_one_block(const ConvGradsStep& op, Context& context);
void conv_spatial_one_block(const ConvGradsStep& op, const MadeGradient& gy, ConvMath math, Context& context);

}  // namespace innerloop::kernels::cuda
