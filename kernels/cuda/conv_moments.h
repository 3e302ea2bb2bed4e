// Our own forward convolution that leaves a norm's sums over its output in parts, and the norm that takes them from there in
// place of the output.
//
//   moments [T, units, lines, K], of each unit of up to kMomentPixels pixels of a task (MomentUnit):
//     of an output y     c, the mean but for its rounding;  sum (y - c);  sum (y - c)^2
//     of a tangent ty    sum ty;  sum ty (y - mean_y), with the mean of the whole task
//
// About any s, a unit's sums of y - s and of its square are n d + e and q + d (2 e + n d), with d = c - s and the sums e and q about
// c (after Chan, Golub and LeVeque, Updating formulae and a pairwise algorithm for computing sample variances, 1979). Nothing
// cancels where s is near the means; without e, what the rounding of a large mean takes away would come back as variance.
//
// A unit follows from the shape alone, whichever tile it falls into, and its sums are taken pixel by pixel: so the bits depend
// neither on the tile nor on how many tasks a call has. Dtypes: the convolution's. They are 3/64 or 2/64 of y.
//
// Where the tiles hold whole windows of a pool, the convolution also leaves what the norm would read its output again for. Tiles of an image
// do; an implicit GEMM takes a task's pixels window by window for it, and then its units are runs of those.
//
//   picks [T, N, H/2, W/2, K], of each window
//     of an output y     the y that decides, and its position: the largest, or the smallest where gamma < 0, ties to the first; the first
//                        where gamma is 0 (the norm is monotone in y, so that it is the window's largest z)
//     of a tangent ty    ty and y at the chosen position, the first of a dead window
//
// A NaN need not be picked: it makes mean and rstd NaN, and with them all of its channel.
#pragma once

#include "kernels/cuda/conv_spatial.h"
#include "kernels/norm.h"

namespace innerloop::kernels::cuda {

inline constexpr std::int64_t kMomentPixels = 64, kOutputMoments = 3, kTangentMoments = 2;

enum class MomentUnit : std::uint8_t {
  kRun,   ///< pixels of the task one behind the other, in the order of the images or in that of the windows; the last has what is left
  kTile,  ///< half of a tile of conv_spatial.h: 4 x 16 pixels of an image, fewer at its edges, and none where a lower half is outside
};

/// How the moments of a task's output are cut. `count` is 0 where the kernel does not leave any: the sum of an output is cut in chunks,
/// which blocks may have to join first, or a task has less than a unit.
struct MomentUnits {
  std::int64_t count = 0;
  MomentUnit unit = MomentUnit::kRun;
};
MomentUnits moment_units(const ConvForward& op, ConvMath math);

/// Units of a task of y [T, N, P, Q, K].
inline std::int64_t count_units(const Shape& y, MomentUnit unit) {
  if (unit == MomentUnit::kRun) return (y[1] * y[2] * y[3] + kMomentPixels - 1) / kMomentPixels;
  return 2 * y[1] * spatial_tiles(y[2], kSpatialRows) * spatial_tiles(y[3], kSpatialColumns);
}

/// Where the moments go, and for those of a tangent what it is the tangent of. `to` may be absent (not wanted).
struct ConvMoments {
  View to;
  ConstView y{}, mean{};

  std::int64_t lines() const { return y ? kTangentMoments : kOutputMoments; }
};

/// Where the picks go; all absent: not wanted.
struct ConvPicks {
  View values{};          ///< y's or ty's
  View choice{};          ///< written with y's
  ConstView gamma{};      ///< of y's: [T|1, K], or absent (1)
  ConstView positions{};  ///< of a tangent's: the choice
  View of{};              ///< of a tangent's, by tiles of an image: y's, where nobody has kept them
};

/// Whether the convolution `op` with these units can leave the picks of a block whose p or tp is `p`.
bool leaves_picks(const ConvForward& op, const MomentUnits& units, Pool pool, const ConstView& p, const ConstView& choice);

// Kernels of their own, so that a profile tells them from those which read y for their sums.

/// moments.to must be there, with the units of moment_units(conv, conv_math()).
struct ConvForwardMoments {
  static constexpr std::string_view kName = "conv_forward_moments";
  ConvForward conv;
  ConvMoments moments;
  ConvPicks picks{};  ///< wanted only where leaves_picks()
};
inline KernelCost cost_of(const ConvForwardMoments& k) {
  // An element: mean 1, squares 3; or sum 1, y - mean 1, products 2. (The sum about c is but a correction.)
  return cost_of(k.conv) + KernelCost{4 * elements_of(k.conv.y), bytes_of(k.moments.to, k.moments.y, k.moments.mean, k.picks.values,
                                                                          k.picks.choice, k.picks.gamma, k.picks.positions, k.picks.of)};
}

struct NormForwardMoments {
  static constexpr std::string_view kName = "norm_relu_pool_moments";
  NormReluPoolForward norm;
  ConstView moments;
  MomentUnit unit = MomentUnit::kRun;
  ConstView picked{};  ///< the picks, norm.chosen or norm.p, and norm.choice has their positions; norm.y is a shape
};
inline KernelCost cost_of(const NormForwardMoments& k) {
  const KernelCost whole = cost_of(k.norm);
  const std::int64_t sums = 3 * elements_of(k.moments);
  if (!k.picked) return {whole.flops - 4 * elements_of(k.norm.y) + sums, whole.bytes + bytes_of(k.moments)};
  return {3 * elements_of(k.norm.p) + sums,
          whole.bytes - bytes_of(k.norm.y, k.norm.chosen) + bytes_of(k.picked, k.norm.choice, k.moments)};
}

/// norm.ty must be there.
struct NormJvpMoments {
  static constexpr std::string_view kName = "norm_relu_pool_jvp_moments";
  NormReluPoolJvp norm;
  ConstView moments;
  MomentUnit unit = MomentUnit::kRun;
  ConstView picked{}, tpicked{};  ///< the picks of y, and of ty, norm.tchosen or norm.tp; norm.y and norm.ty are shapes
};
inline KernelCost cost_of(const NormJvpMoments& k) {
  const KernelCost whole = cost_of(k.norm);
  const std::int64_t flops = whole.flops - 5 * elements_of(k.norm.y) + elements_of(k.moments);
  if (!k.picked) return {flops + elements_of(k.norm.y), whole.bytes + bytes_of(k.moments)};
  return {flops, whole.bytes - bytes_of(k.norm.y, k.norm.ty, k.norm.chosen, k.norm.tchosen) + bytes_of(k.picked, k.tpicked, k.moments)};
}

/// What a forward convolution leaves besides its output, each where it is wanted.
struct BesideForward {
  ConvMoments moments{};
  ConvPicks picks{};
  const NormForwardMoments* norm = nullptr;  ///< in the same launch (conv_stages.h), or
  const NormJvpMoments* norm_jvp = nullptr;
};
void conv_own(const ConvForward& op, const BesideForward& beside, ConvMath math, Context& context);

}  // namespace innerloop::kernels::cuda
