// The step from a checked convolution to the engine that serves it.
#pragma once

#include "kernels/cuda/conv_op.h"
#include "tensor/context.h"

namespace innerloop::kernels::cuda {

/// Puts `op`, whose operands fit each other and whose output has elements, on the context's stream, as conv_engine()
/// and conv_math() say. Libraries take conv_math() as far as they can tell: TF32 products where it is kTf32, else
/// strict ones.
void run_conv(const ConvOp& op, Context& context);

}  // namespace innerloop::kernels::cuda
