#include "kernels/patch_moments.h"

namespace innerloop::kernels {

bool moments_suffice(const ConvGeometry& geometry, const Shape& w) {
  return geometry.groups == 1 && w[1] * w[2] * w[3] <= kMomentTaps;
}

Shape moments_shape(const Shape& x, const Shape& w) {
  const std::int64_t taps = w[1] * w[2] * w[3];
  return {x[0], 1 + taps, taps};
}

void check_moments(std::string_view op, const ConvGeometry& geometry, const ConstView& moments, const Shape& x, const Shape& w) {
  const Shape wanted = moments_shape(x, w);
  IL_CHECK(moments.data != nullptr && moments.dtype == DType::kF64 && moments.shape == wanted,
           "{}: the patch moments are {} ({}); {} (f64) is needed", op,
           moments.data == nullptr ? "absent" : moments.shape.to_string(), name_of(moments.dtype), wanted.to_string());
  IL_CHECK(moments_suffice(geometry, w), "{}: patch moments for weights {} in {} groups; they need 1 group and at most {} taps", op,
           w.to_string(), geometry.groups, kMomentTaps);
}

void compose(const PatchMomentsPair& k, Context& context) {
  run(k.first, context);
  run(k.second, context);
}

}  // namespace innerloop::kernels
