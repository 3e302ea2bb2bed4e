// Both gradients of a convolution on the CPU (kernels/conv_block.h).
#include "kernels/conv_block.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

// A CPU's threads are busy with either gradient alone: nothing is gained by joining them.
void run_here(const ConvGrads& k, Context& context) { compose(k, context); }

IL_REGISTER_KERNEL(ConvGrads);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
