// The clock of a replayed step.
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/update_check.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

__global__ void advance_clock_kernel(const double* table, std::int64_t lines, std::int64_t* clock, double* schedule) {
  grid_dependency_sync();
  const std::int64_t now = *clock, line = now < 0 ? 0 : (now < lines ? now : lines - 1);
  for (int i = 0; i < 3; ++i) schedule[i] = table[line * 3 + i];
  *clock = now + 1;
}

void run_here(const AdvanceClock& k, Context& context) {
  check(k);
  launch(advance_clock_kernel, dim3(1), dim3(1), 0, stream_of(context), k.table.as<double>(), k.table.shape[0],
         k.clock.as<std::int64_t>(), k.schedule.as<double>());
}

IL_REGISTER_KERNEL(AdvanceClock);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
