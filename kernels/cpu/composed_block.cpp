// The conv block of CPU targets (kernels/conv_block.h).
#include "kernels/conv_block.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

void run_here(const ConvBlockForward& k, Context& context) { compose(k, context); }
void run_here(const ConvBlockGrad& k, Context& context) { compose(k, context); }
void run_here(const ConvBlockJvp& k, Context& context) { compose(k, context); }
void run_here(const ConvBlockGradJvp& k, Context& context) { compose(k, context); }
void run_here(const ConvGrads& k, Context& context) { compose(k, context); }

IL_REGISTER_KERNEL(ConvBlockForward);
IL_REGISTER_KERNEL(ConvBlockGrad);
IL_REGISTER_KERNEL(ConvBlockJvp);
IL_REGISTER_KERNEL(ConvBlockGradJvp);
IL_REGISTER_KERNEL(ConvGrads);

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
