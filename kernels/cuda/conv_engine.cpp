#include "kernels/cuda/conv_engine.h"

#include <atomic>
#include <cstdlib>

#include "tensor/error.h"

namespace innerloop::kernels::cuda {
namespace {

ConvEngine from_environment() {
  const char* asked = std::getenv("IL_CONV_ENGINE");
  if (asked == nullptr || *asked == '\0') return kDefaultConvEngine;
  for (const ConvEngine engine : kConvEngines) {
    if (name_of(engine) == asked) return engine;
  }
  fail_usage("IL_CONV_ENGINE={}: use auto, own, cudnn or gemm", asked);
}

std::atomic<ConvEngine>& setting() {
  static std::atomic<ConvEngine> engine{from_environment()};
  return engine;
}

}  // namespace

std::string_view name_of(ConvEngine engine) {
  switch (engine) {
    case ConvEngine::kAuto:
      return "auto";
    case ConvEngine::kOwn:
      return "own";
    case ConvEngine::kCudnn:
      return "cudnn";
    case ConvEngine::kGemm:
      return "gemm";
  }
  return "unknown";
}

ConvEngine conv_engine() { return setting().load(std::memory_order_relaxed); }
void set_conv_engine(ConvEngine engine) { setting().store(engine, std::memory_order_relaxed); }

}  // namespace innerloop::kernels::cuda
