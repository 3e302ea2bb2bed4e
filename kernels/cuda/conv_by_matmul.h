// Convolutions as matrix products of patches (im2col.h), whoever multiplies. The contract is kernels/conv.h with one
// group.
//
//   forward       y [T, NPQ, K]    = patches(x) [T|1, NPQ, RSC]  w [T|1, RSC, K]
//   input grad    patches' gradient = gy [T|1, NPQ, K]  w^T [T|1, K, RSC], and back into gx by col2im
//   weight grad   gw [T|1, RSC, K] = patches(x)^T [T|1, RSC, NPQ]  gy [T|1, NPQ, K]
//
// A second pair is the product's second pair. A 1x1 filter at stride 1 without padding needs no patches: the image is
// them. Patches come from the context's arena and go back to it when everything is on the stream.
#pragma once

#include <string>

#include "kernels/conv.h"
#include "kernels/cuda/conv_op.h"
#include "kernels/matmul.h"
#include "tensor/function_ref.h"

namespace innerloop::kernels::cuda {

/// The most that the patches of one call may take.
inline constexpr std::int64_t kMostPatchBytes = std::int64_t{4} << 30;

/// Empty where conv_by_matmul() serves the call; else why not.
std::string why_not_by_matmul(const ConvOp& op);

/// `multiply` puts a product on the context's stream.
void conv_by_matmul(const ConvOp& op, FunctionRef<void(const Matmul&)> multiply, Context& context);

}  // namespace innerloop::kernels::cuda
