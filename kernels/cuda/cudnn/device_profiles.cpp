#include "kernels/cuda/cudnn/device_profiles.h"

#include <cudnn_graph.h>
#include <fmt/core.h>

namespace innerloop::kernels::cudnn {
namespace {

/// Encoded as CUDA does: 13000 is 13.0. The oldest driver that this toolkit's runtime accepts.
constexpr int kDriverVersion = 13000;
constexpr int kSchemaVersion = 1;

}  // namespace

std::string to_json(const DeviceProfile& p) {
  // What does not differ between the profiles is written out: both have 64 Ki registers and 2048 threads a
  // multiprocessor and 1 KiB of shared memory a block that the system keeps. Booleans are integers in this schema.
  return fmt::format(
      R"({{"cudnnVersion":{},"schemaVersion":{},"deviceVer":{},"driverVer":{},"cudaDeviceId":0,"deviceName":"{}",)"
      R"("multiProcessorCount":{},"warpSize":32,"regsPerBlock":65536,"maxSharedMemoryPerBlock":49152,)"
      R"("maxSharedMemoryPerBlockOptin":{},"reservedSharedMemoryPerBlock":1024,"maxRegistersPerSM":65536,)"
      R"("maxCtasPerSM":{},"maxThreadsPerBlock":1024,"maxThreadsPerSM":2048,"maxGridSize":[2147483647,65535,65535],)"
      R"("maxBlockSize":[1024,1024,64],"pciDeviceId":{},"isTccDriver":0,"supportCoopLaunch":1,"smClockRateKHz":{},)"
      R"("memClockRateKHz":{},"l2CacheSize":{},"totalGlobalMem":{}}})",
      cudnnGetVersion(), kSchemaVersion, p.compute_capability, kDriverVersion, p.name, p.multiprocessors,
      p.shared_memory_per_block, p.max_blocks_per_multiprocessor, p.pci_device_id, p.clock_khz, p.memory_clock_khz,
      p.l2_bytes, p.memory_bytes);
}

}  // namespace innerloop::kernels::cudnn
