// What a program of tests does that was linked with an engine for devices: it runs on the device, or says why it cannot.
#pragma once

#include <cstdlib>
#include <string>

#include "tensor/device.h"
#include "tensor/error.h"

namespace innerloop::test {

/// The exit code by which ctest and tools/gpu_check know that nothing was tested.
inline constexpr int kSkipped = 77;

/// Why there is no device for this program; empty where there is one, or where it was linked with no engine for any. Asks for
/// device memory that the host can address, which the tests need; so it comes before the first use of the device.
inline std::string missing_device() {
  if (!has_device_engine()) return {};
  setenv("IL_CUDA_MEMORY", "pinned", 0);
  try {
    static_cast<void>(default_device());
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace innerloop::test
