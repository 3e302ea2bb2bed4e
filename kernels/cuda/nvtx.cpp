#include "kernels/cuda/nvtx.h"

#include <cstdlib>
#include <string_view>

#include "tensor/error.h"
#include "tensor/trace.h"

#if __has_include(<nvtx3/nvToolsExt.h>)
#include <nvtx3/nvToolsExt.h>
#define IL_HAS_NVTX 1
#endif

namespace innerloop::kernels::cuda {
namespace {

#if defined(IL_HAS_NVTX)
constexpr TraceHooks kHooks{[](const char* name) noexcept { static_cast<void>(nvtxRangePushA(name)); },
                            []() noexcept { static_cast<void>(nvtxRangePop()); }};
#endif

}  // namespace

void trace_if_asked() {
  const char* text = std::getenv("IL_NVTX");
  const std::string_view asked = text != nullptr ? text : "";
  if (asked.empty() || asked == "off") return;
  if (asked != "on") fail_usage("IL_NVTX={}: use on or off", asked);
#if defined(IL_HAS_NVTX)
  set_trace_hooks(&kHooks);
#else
  fail_usage("IL_NVTX=on: this program was built without NVTX's headers; unset it");
#endif
}

}  // namespace innerloop::kernels::cuda
