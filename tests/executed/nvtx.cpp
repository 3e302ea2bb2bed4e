// Trace ranges reach NVTX when the environment asks: a listener is linked into this program where a profiler would be.
#include "kernels/cuda/nvtx.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "tensor/error.h"
#include "tensor/trace.h"

#if __has_include(<nvtx3/nvToolsExt.h>)
#define NVTX_NO_IMPL  // types alone: the symbol below takes the place of the header's empty one
#include <nvtx3/nvToolsExt.h>

namespace innerloop {
namespace {

std::vector<std::string>& heard() {
  static std::vector<std::string> ranges;
  return ranges;
}

int push(const char* name) {
  heard().push_back(name);
  return static_cast<int>(heard().size()) - 1;
}
int pop() {
  heard().push_back("end");
  return 0;
}

int listen(NvtxGetExportTableFunc_t get_table) {
  const auto* callbacks = static_cast<const NvtxExportTableCallbacks*>(get_table(NVTX_ETID_CALLBACKS));
  NvtxFunctionTable table = nullptr;
  unsigned size = 0;
  if (callbacks == nullptr || callbacks->GetModuleFunctionTable(NVTX_CB_MODULE_CORE, &table, &size) == 0 ||
      size <= NVTX_CBID_CORE_RangePop)
    return 0;
  *table[NVTX_CBID_CORE_RangePushA] = reinterpret_cast<NvtxFunctionPointer>(&push);
  *table[NVTX_CBID_CORE_RangePop] = reinterpret_cast<NvtxFunctionPointer>(&pop);
  return 1;
}

}  // namespace
}  // namespace innerloop

extern "C" {
extern NvtxInitializeInjectionNvtxFunc_t InitializeInjectionNvtx2_fnptr;
NvtxInitializeInjectionNvtxFunc_t InitializeInjectionNvtx2_fnptr = innerloop::listen;
}

namespace innerloop {
namespace {

class Nvtx : public testing::Test {
 protected:
  ~Nvtx() override {
    unsetenv("IL_NVTX");
    set_trace_hooks(nullptr);
  }
  static void ask(const char* value) {
    setenv("IL_NVTX", value, 1);
    kernels::cuda::trace_if_asked();
  }
};

TEST_F(Nvtx, OnSendsRangesToTheProfiler) {
  heard().clear();
  kernels::cuda::trace_if_asked();
  ask("off");
  { const TraceRange range("unheard"); }
  EXPECT_TRUE(heard().empty());
  ask("on");
  {
    const TraceRange outer("outer step");
    const TraceRange inner("inner step");
  }
  EXPECT_EQ(heard(), (std::vector<std::string>{"outer step", "inner step", "end", "end"}));
}

TEST_F(Nvtx, AnythingElseIsAUsageError) {
  EXPECT_THROW(ask("yes"), UsageError);
  EXPECT_THROW(ask("1"), UsageError);
}

}  // namespace
}  // namespace innerloop

#else
TEST(Nvtx, NeedsItsHeaders) { GTEST_SKIP() << "built without NVTX's headers"; }
#endif
