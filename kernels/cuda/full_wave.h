// How many blocks give each multiprocessor of the device one. From there on tiles are large (conv_launch.cuh) and one block takes a whole sum
// (conv_split.cuh); no bit shows which it was.
#pragma once

#include <cstdint>

namespace innerloop::kernels::cuda {

/// Of the process's device; of an H100 before there is one.
std::int64_t full_wave();
/// By the device when it is made. A test of many blocks can do with few.
void set_full_wave(std::int64_t blocks);

}  // namespace innerloop::kernels::cuda
