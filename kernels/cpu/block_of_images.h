// A conv block whose images are constants (kernels/conv_block.h): its four kernels without y, from the moments of the
// images' patches.
#pragma once

#include "kernels/conv_block.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

void block_of_images(const ConvBlockForward& k, Context& context);
void block_of_images(const ConvBlockGrad& k, Context& context);
void block_of_images(const ConvBlockJvp& k, Context& context);
void block_of_images(const ConvBlockGradJvp& k, Context& context);

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
