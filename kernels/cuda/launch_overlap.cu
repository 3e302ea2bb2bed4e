// The trial of launches that overlap (launch_overlap.h).
#include "kernels/cuda/launch_overlap.h"

#include "kernels/cuda/device_buffer.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/recording.h"

namespace innerloop::kernels::cuda {
namespace {

__global__ void overlap_trial_kernel(unsigned* count) {
  grid_dependency_sync();
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900  // code for older devices does not wait, whatever device it runs on
  *count = *count + 1;
#endif
}

}  // namespace

bool overlap_works(cudaStream_t stream) {
  constexpr unsigned kLaunches = 3;
  const bool before = launches_overlap.exchange(true);
  unsigned count = 0;
  try {
    const DeviceBuffer memory(sizeof(count)), copied(sizeof(count));
    auto* const counter = static_cast<unsigned*>(memory.data());
    const auto clear = [&] { IL_CUDA_CHECK(cudaMemsetAsync(counter, 0, sizeof(count), stream)); };
    const auto count_one = [&] { launch(overlap_trial_kernel, dim3(1), dim3(1), 0, stream, counter); };
    clear();
    count_one();  // so that the kernel is loaded, which a driver need not do while a stream records
    StreamCapture capture(stream);
    clear();  // libraries' convolutions have such a node ahead of a kernel
    for (unsigned i = 0; i < kLaunches; ++i) count_one();
    IL_CUDA_CHECK(cudaMemcpyAsync(copied.data(), counter, sizeof(count), cudaMemcpyDeviceToDevice, stream));
    const GraphRecording recording(capture.finish());
    recording.launch(stream);
    IL_CUDA_CHECK(cudaMemcpyAsync(&count, copied.data(), sizeof(count), cudaMemcpyDeviceToHost, stream));
    IL_CUDA_CHECK(cudaStreamSynchronize(stream));
  } catch (const Error&) {
    static_cast<void>(cudaGetLastError());  // or the next launch would report it
    count = 0;
  }
  launches_overlap = before;
  return count == kLaunches;
}

}  // namespace innerloop::kernels::cuda
