// Trace ranges: derivatives of every order carry the name of the layer whose ops they come from.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "autograd/op.h"
#include "autograd/ops/elementwise.h"
#include "autograd/transforms.h"

namespace innerloop::autograd {
namespace {

std::vector<std::string>* t_events = nullptr;
const TraceHooks kTraceHooks{[](const char* name) noexcept { t_events->push_back(name); },
                        []() noexcept { t_events->push_back("."); }};

TEST(LayerScope, DerivativesOfEveryOrderNameTheirLayer) {
  std::vector<std::string> events;
  t_events = &events;
  const Var x = variable(Tensor::full({2}, DType::kF64, 0.5));
  Var y;
  {
    const LayerScope layer("first");
    y = exp(x);
  }
  const Vars g = grad(y, {x}, Record::kGraph);
  set_trace_hooks(&kTraceHooks);
  jvp(g, {x}, {Var(Tensor::full({2}, DType::kF64, 1))}, Record::kValues);
  set_trace_hooks(nullptr);
  // The tangent of a gradient: its ops were recorded by a walk, not by the caller.
  ASSERT_GE(events.size(), 4u);
  EXPECT_EQ(events[0], "tangent walk");
  EXPECT_EQ(events[1], "first");
  int depth = 0;
  for (const std::string& e : events) depth += e == "." ? -1 : 1;
  EXPECT_EQ(depth, 0) << "every range that opens closes";
}

}  // namespace
}  // namespace innerloop::autograd
