// GPUs by their public specifications, so that plans can be made and checked on a machine that has none.
//
// A profile is good for asking which plans exist, what they need and what they do to the numbers. On a GPU the plans
// are made from that device's own properties (Device::current()), never from a profile.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace innerloop::kernels::cudnn {

struct DeviceProfile {
  std::string_view name;
  int compute_capability = 0;  ///< 900 is 9.0
  int pci_device_id = 0;
  int multiprocessors = 0;
  std::int64_t shared_memory_per_block = 0;  ///< bytes, the most that a kernel can opt into
  int max_blocks_per_multiprocessor = 0;
  int clock_khz = 0, memory_clock_khz = 0;
  std::int64_t l2_bytes = 0, memory_bytes = 0;
};

/// NVIDIA H100 SXM5 80 GB and A100 SXM4 80 GB.
inline constexpr DeviceProfile kH100{.name = "NVIDIA H100 80GB HBM3",
                                     .compute_capability = 900,
                                     .pci_device_id = 0x2330,
                                     .multiprocessors = 132,
                                     .shared_memory_per_block = 227 * 1024,
                                     .max_blocks_per_multiprocessor = 32,
                                     .clock_khz = 1980000,
                                     .memory_clock_khz = 2619000,
                                     .l2_bytes = std::int64_t{50} << 20,
                                     .memory_bytes = 85045936128};
inline constexpr DeviceProfile kA100{.name = "NVIDIA A100-SXM4-80GB",
                                     .compute_capability = 800,
                                     .pci_device_id = 0x20B2,
                                     .multiprocessors = 108,
                                     .shared_memory_per_block = 163 * 1024,
                                     .max_blocks_per_multiprocessor = 32,
                                     .clock_khz = 1410000,
                                     .memory_clock_khz = 1593000,
                                     .l2_bytes = std::int64_t{40} << 20,
                                     .memory_bytes = 85197717504};

/// The text that cuDNN's device property descriptor reads, for the library version that is running.
std::string to_json(const DeviceProfile& profile);

}  // namespace innerloop::kernels::cudnn
