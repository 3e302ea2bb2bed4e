// The head with its loss on CPU targets (kernels/head.h).
#include "kernels/head.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

void run_here(const HeadLoss& k, Context& context) { compose(k, context); }
void run_here(const HeadLossJvp& k, Context& context) { compose(k, context); }

IL_REGISTER_KERNEL(HeadLoss);
IL_REGISTER_KERNEL(HeadLossJvp);

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
