// When a convolution and a norm share a launch (conv_stages.h): the setting, and what all pairs ask in common.
#include "kernels/cuda/conv_stages.h"

#include "kernels/cuda/conv_engine.h"
#include "kernels/cuda/environment_switch.h"
#include "kernels/cuda/norm_dispatch.h"

namespace innerloop::kernels::cuda {
namespace {

EnvironmentSwitch& setting() {
  static EnvironmentSwitch stages("IL_CUDA_STAGES");
  return stages;
}

}  // namespace

bool conv_stages() { return setting().on(); }
void set_conv_stages(bool on) { setting().set(on); }

bool stages_wanted(const ConvGeometry& g, const ConstView& w, const Shape& y, Pool pool, std::initializer_list<ConstView> operands) {
  return conv_stages() && conv_engine() == ConvEngine::kOwn && conv_math() != ConvMath::kFp32 && w.dtype == DType::kF32 &&
         w.shape.rank() == 5 && y.rank() == 5 && y.numel() > 0 && y[2] > 1 && y[3] > 1 && y[1] * y[2] * y[3] <= kStagedPixels &&
         g.groups == 1 && pool == Pool::kMax2x2 && can_be_vectors(operands, kPickWidth);
}

}  // namespace innerloop::kernels::cuda
