#include "kernels/patch_moments.h"

namespace innerloop::kernels {

bool moments_suffice(const ConvGeometry& geometry, const Shape& w) {
  return geometry.groups == 1 && w[1] * w[2] * w[3] <= kMomentTaps;
}

Shape moments_shape(const Shape& x, const Shape& w) {
  const std::int64_t taps = w[1] * w[2] * w[3];
  return {x[0], 1 + taps, taps};
}

}  // namespace innerloop::kernels
