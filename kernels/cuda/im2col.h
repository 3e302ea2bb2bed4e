// Convolution patches as matrices, for convolutions by matrix product (conv_by_matmul.h).
//
// patches [T, N*P*Q, R*S*C]: row (n, p, q), column (r, s, c) holds x[n, p*stride - pad + r*dilation, q*..., c], zero
// outside the image. One group. f32 or f64. Determinism: each element is computed alone; sums run in the order of (r,
// s). Limits: N*P*Q, N*H*W and R*S*C below 2^31, as unpatchable() checks.
#pragma once

#include <cuda_runtime_api.h>

#include <string_view>

#include "kernels/conv.h"

namespace innerloop::kernels::cuda {

/// Empty where the limits hold and all but the group count is for the caller to see to; else why not.
std::string_view unpatchable(const Shape& x, const Shape& patches);

/// patches = the patches of x [T, N, H, W, C]; `height` = P and `width` = Q. Traffic: x read once (from cache R*S
/// times), patches written once.
void im2col(cudaStream_t stream, const ConvGeometry& geometry, std::int64_t filter_width, std::int64_t height,
            std::int64_t width, ConstView x, View patches);

/// Its adjoint: x = for each element the sum of the patch elements that were copied from it. Traffic: patches read
/// once, x written once.
void col2im(cudaStream_t stream, const ConvGeometry& geometry, std::int64_t filter_width, std::int64_t height,
            std::int64_t width, ConstView patches, View x);

}  // namespace innerloop::kernels::cuda
