// Runs the tests on the device, when the program was linked with an engine for one, else on the CPU.
#include <gtest/gtest.h>

#include <cstdio>
#include <optional>

#include "support/device.h"
#include "tensor/context.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (const std::string why = innerloop::test::missing_device(); !why.empty() && !GTEST_FLAG_GET(list_tests)) {
    std::fprintf(stderr, "skipped: %s\n", why.c_str());
    return innerloop::test::kSkipped;
  }
  std::optional<innerloop::Context> device;
  std::optional<innerloop::ContextScope> scope;
  if (innerloop::has_device_engine() && !GTEST_FLAG_GET(list_tests))
    scope.emplace(device.emplace(innerloop::default_device()));
  return RUN_ALL_TESTS();
}
