// Which implementation serves a convolution on the device.
#include "kernels/conv.h"

#include "kernels/conv_check.h"
#include "kernels/cuda/conv_dispatch.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

void run_here(const ConvForward& op, Context& context) {
  const int pairs = count_pairs(ConvForward::kName, op.x, op.w);
  const ConvSizes z = conv_sizes(
      ConvForward::kName, op.geometry, pairs, [&](int n) { return op.x[n]; }, [&](int n) { return op.w[n]; },
      [&](int) -> ConstView { return op.y; });
  IL_CHECK(op.y.shape[0] == z.tasks, "{}: the output {} must have the task extent {}", ConvForward::kName,
           op.y.shape.to_string(), z.tasks);
  if (op.y.shape.numel() > 0) run_conv(&op, context);
}

void run_here(const ConvInputGrad& op, Context& context) {
  const int pairs = count_pairs(ConvInputGrad::kName, op.gy, op.w);
  conv_sizes(
      ConvInputGrad::kName, op.geometry, pairs, [&](int) -> ConstView { return op.gx; }, [&](int n) { return op.w[n]; },
      [&](int n) { return op.gy[n]; });
  if (op.gx.shape.numel() > 0) run_conv(&op, context);
}

void run_here(const ConvWeightGrad& op, Context& context) {
  const int pairs = count_pairs(ConvWeightGrad::kName, op.x, op.gy);
  conv_sizes(
      ConvWeightGrad::kName, op.geometry, pairs, [&](int n) { return op.x[n]; },
      [&](int) -> ConstView { return op.gw; }, [&](int n) { return op.gy[n]; });
  if (op.gw.shape.numel() > 0) run_conv(&op, context);
}

IL_REGISTER_KERNEL(ConvForward);
IL_REGISTER_KERNEL(ConvInputGrad);
IL_REGISTER_KERNEL(ConvWeightGrad);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
