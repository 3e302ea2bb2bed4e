// Input gradient on the CPU (conv_input_grad.h): one residue of the stride after the other.
#include "kernels/cpu/conv_input_grad.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

template <class T>
void input_grad(const ConvInputGrad& op, const ConvSizes& z, int pairs, Context& context) {
  InputGradConv<T> conv(op, z, pairs, context);
  for (std::int64_t a = 0; a < conv.residues_h(); ++a)
    for (std::int64_t b = 0; b < conv.residues_w(); ++b) run_gather(conv.residue(a, b), context);
}

void run_here(const ConvInputGrad& op, Context& context) {
  const int pairs = count_pairs(ConvInputGrad::kName, op.gy, op.w);
  const ConvSizes z = conv_sizes(ConvInputGrad::kName, op.geometry, pairs, [&](int) -> ConstView { return op.gx; },
                                 [&](int n) { return op.w[n]; }, [&](int n) { return op.gy[n]; });
  if (op.gx.shape.numel() == 0) return;
  op.gx.dtype == DType::kF32 ? input_grad<float>(op, z, pairs, context) : input_grad<double>(op, z, pairs, context);
}

IL_REGISTER_KERNEL(ConvInputGrad);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
