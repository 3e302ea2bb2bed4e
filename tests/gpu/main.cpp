// Runs the tests, which make contexts of the device themselves; skips them all on a machine without one.
#include <gtest/gtest.h>

#include <cstdio>

#include "support/device.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (const std::string why = innerloop::test::missing_device(); !why.empty() && !GTEST_FLAG_GET(list_tests)) {
    std::fprintf(stderr, "skipped: %s\n", why.c_str());
    return innerloop::test::kSkipped;
  }
  return RUN_ALL_TESTS();
}
