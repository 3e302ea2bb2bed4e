// Steps of the inner loop on CPU targets (kernels/inner_step.h): a gradient stays in the caches until it is used.
#include "kernels/inner_step.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

void run_here(const ConvBlockStep& k, Context& context) { compose(k, context); }
void run_here(const ConvBlockStepJvp& k, Context& context) { compose(k, context); }
void run_here(const HeadStep& k, Context& context) { compose(k, context); }
void run_here(const HeadStepJvp& k, Context& context) { compose(k, context); }

IL_REGISTER_KERNEL(ConvBlockStep);
IL_REGISTER_KERNEL(ConvBlockStepJvp);
IL_REGISTER_KERNEL(HeadStep);
IL_REGISTER_KERNEL(HeadStepJvp);

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
