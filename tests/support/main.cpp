// Runs the tests on the device, when the program was linked with an engine for one, else on the CPU.
#include <gtest/gtest.h>

#include <optional>

#include "tensor/context.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  std::optional<innerloop::Context> device;
  std::optional<innerloop::ContextScope> scope;
  if (innerloop::has_device_engine()) scope.emplace(device.emplace(innerloop::default_device()));
  return RUN_ALL_TESTS();
}
