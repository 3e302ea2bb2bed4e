#include "kernels/cuda/conv_op.h"

#include <algorithm>
#include <cstdint>

namespace innerloop::kernels::cuda {
namespace {

ConvRoles roles(const ConvForward& k) {
  return {k.kName, &k.geometry, k.x[1].shape.rank() > 0 ? 2 : 1, {k.x[0], k.x[1]}, {k.w[0], k.w[1]}, {k.y, k.y}};
}
ConvRoles roles(const ConvInputGrad& k) {
  return {k.kName, &k.geometry, k.w[1].shape.rank() > 0 ? 2 : 1, {k.gx, k.gx}, {k.w[0], k.w[1]}, {k.gy[0], k.gy[1]}};
}
ConvRoles roles(const ConvWeightGrad& k) {
  return {k.kName, &k.geometry, k.x[1].shape.rank() > 0 ? 2 : 1, {k.x[0], k.x[1]}, {k.gw, k.gw}, {k.gy[0], k.gy[1]}};
}

}  // namespace

ConvRoles roles_of(const ConvOp& op) {
  return std::visit([](const auto* kernel) { return roles(*kernel); }, op);
}

std::string conv_key(const ConvOp& op, std::string_view math) {
  const ConvRoles z = roles_of(op);
  const ConvGeometry& g = *z.geometry;
  std::uintptr_t addresses = 16;
  std::string tensors;
  for (int i = 0; i < z.pairs; ++i) {
    for (const ConstView* view : {&z.image[i], &z.filter[i], &z.output[i]}) {
      addresses |= reinterpret_cast<std::uintptr_t>(view->data);
      // The second pair differs from the first in task extents alone.
      tensors += i == 0 ? fmt::format(" {}", view->shape.to_string()) : fmt::format(" +{}", view->shape[0]);
    }
  }
  const std::uintptr_t alignment = addresses & (~addresses + 1);
  return fmt::format("{} {} {}{} stride {}x{} pad {},{} dilation {}x{} groups {} aligned {}", z.name,
                     innerloop::name_of(z.image[0].dtype), math, tensors, g.stride_h, g.stride_w, g.pad_top, g.pad_left,
                     g.dilation_h, g.dilation_w, g.groups, alignment);
}

}  // namespace innerloop::kernels::cuda
