// ConvOp: any of the three convolutions, for code that treats them alike, and the text that names its shape.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "kernels/conv.h"

namespace innerloop::kernels::cuda {

/// Borrowed: the kernel outlives the call that it is passed to.
using ConvOp = std::variant<const ConvForward*, const ConvInputGrad*, const ConvWeightGrad*>;

/// The op by the roles of its tensors, whichever of them is written.
struct ConvRoles {
  std::string_view name;
  const ConvGeometry* geometry = nullptr;
  int pairs = 1;
  ConstView image[2], filter[2], output[2];  ///< the written one is in both
};
ConvRoles roles_of(const ConvOp& op);

/// One line that equals another op's exactly when both have the same work: kernel, dtype, shapes, geometry, and how far
/// the addresses are aligned (to 16 bytes, or to less). `math` is how products are made. Without tabs.
std::string conv_key(const ConvOp& op, std::string_view math);

}  // namespace innerloop::kernels::cuda
