// When a convolution and a norm share a launch (conv_stages.h): the setting, and what all pairs ask in common.
#include "kernels/cuda/conv_stages.h"

#include <atomic>
#include <cstdlib>
#include <string_view>

#include "kernels/cuda/conv_engine.h"
#include "kernels/cuda/norm_dispatch.h"

namespace innerloop::kernels::cuda {
namespace {

bool from_environment() {
  const char* asked = std::getenv("IL_CUDA_STAGES");
  if (asked == nullptr || *asked == '\0' || std::string_view(asked) == "on") return true;
  if (std::string_view(asked) == "off") return false;
  fail_usage("IL_CUDA_STAGES={}: use on or off", asked);
}

std::atomic<bool>& setting() {
  static std::atomic<bool> on{from_environment()};
  return on;
}

}  // namespace

bool conv_stages() { return setting().load(std::memory_order_relaxed); }
void set_conv_stages(bool on) { setting().store(on, std::memory_order_relaxed); }

bool stages_wanted(const ConvGeometry& g, const ConstView& w, const Shape& y, Pool pool, std::initializer_list<ConstView> operands) {
  return conv_stages() && conv_engine() == ConvEngine::kOwn && conv_math() != ConvMath::kFp32 && w.dtype == DType::kF32 &&
         w.shape.rank() == 5 && y.rank() == 5 && y.numel() > 0 && y[2] > 1 && y[3] > 1 && y[1] * y[2] * y[3] <= kStagedPixels &&
         g.groups == 1 && pool == Pool::kMax2x2 && can_be_vectors(operands, kPickWidth);
}

}  // namespace innerloop::kernels::cuda
