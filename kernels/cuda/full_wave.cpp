#include "kernels/cuda/full_wave.h"

#include <atomic>

namespace innerloop::kernels::cuda {
namespace {

std::atomic<std::int64_t> blocks_of_a_wave{132};

}  // namespace

std::int64_t full_wave() { return blocks_of_a_wave.load(std::memory_order_relaxed); }
void set_full_wave(std::int64_t blocks) { blocks_of_a_wave.store(blocks, std::memory_order_relaxed); }

}  // namespace innerloop::kernels::cuda
