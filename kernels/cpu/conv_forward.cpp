// Forward convolution on the CPU (conv_forward.h).
#include "kernels/cpu/conv_forward.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

template <class T>
void forward(const ConvForward& op, const ConvSizes& z, int pairs, Context& context) {
  const ForwardConv<T> conv(op, z, pairs, context);
  run_gather(conv.gather(), context);
}

void run_here(const ConvForward& op, Context& context) {
  const int pairs = count_pairs(ConvForward::kName, op.x, op.w);
  const ConvSizes z = conv_sizes(ConvForward::kName, op.geometry, pairs, [&](int n) { return op.x[n]; },
                                 [&](int n) { return op.w[n]; }, [&](int) -> ConstView { return op.y; });
  IL_CHECK(op.y.shape[0] == z.tasks, "{}: the output {} must have the task extent {}", ConvForward::kName,
           op.y.shape.to_string(), z.tasks);
  if (op.y.shape.numel() == 0) return;
  op.y.dtype == DType::kF32 ? forward<float>(op, z, pairs, context) : forward<double>(op, z, pairs, context);
}

IL_REGISTER_KERNEL(ConvForward);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
