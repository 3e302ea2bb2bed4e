// A conv block whose images are constants (kernels/conv_block.h) on the device: its kernels without y, from the moments of the
// images' patches. One launch each; the formulas stand in kernels/cpu/block_of_images.cpp and docs/mathematics.md, section 4.
#pragma once

#include "kernels/conv_block.h"
#include "kernels/cuda/conv_step.h"
#include "kernels/cuda/norm_step.h"

namespace innerloop::kernels::cuda {

void block_of_images(const ConvBlockForward& k, Context& context);
void block_of_images(const ConvBlockJvp& k, Context& context);

/// With steps, k.gw takes the weights after theirs (kernels/inner_step.h).
void block_of_images(const ConvBlockGrad& k, const WeightStep& weight, const NormStep& norm, Context& context);
/// With steps, k.tgw takes the tangents after theirs, and k.tggamma and k.tgbeta are absent.
void block_of_images(const ConvBlockGradJvp& k, const WeightStep& weight, const NormStep& norm, Context& context);

}  // namespace innerloop::kernels::cuda
