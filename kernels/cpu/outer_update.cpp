// The end of a meta-step on CPU targets (kernels/outer_update.h).
#include "kernels/outer_update.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

void run_here(const OuterUpdate& k, Context& context) { compose(k, context); }

IL_REGISTER_KERNEL(OuterUpdate);

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
