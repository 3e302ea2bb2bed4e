#include "kernels/cuda/cudnn/autotune.h"

#include <cuda_runtime_api.h>

#include <algorithm>

#include "kernels/cuda/device_buffer.h"
#include "kernels/cuda/event.h"

namespace innerloop::kernels::cudnn {
namespace {

cuda::DeviceBuffer zeros(std::int64_t bytes, cudaStream_t stream) {
  cuda::DeviceBuffer buffer(static_cast<std::size_t>(bytes));
  if (bytes > 0) IL_CUDA_CHECK(cudaMemsetAsync(buffer.data(), 0, buffer.bytes(), stream));
  return buffer;
}

}  // namespace

std::vector<TimedPlan> autotune(const ConvProblem& problem, const PlanOptions& options, const Device& device,
                                cudnnHandle_t handle, PlanCache& cache, const AutotuneOptions& how) {
  IL_CHECK(how.candidates > 0 && how.repeats > 0,
           "cudnn: autotune with {} candidates and {} repeats: both must be positive", how.candidates, how.repeats);
  cudaStream_t stream = nullptr;
  IL_CUDNN_CHECK(cudnnGetStream(handle, &stream));
  const auto plans = find_plans(problem, options, device, how.candidates);
  const auto element = static_cast<std::int64_t>(size_of(problem.dtype));
  const auto image = zeros(problem.image_elements() * element, stream),
             filter = zeros(problem.filter_elements() * element, stream),
             output = zeros(problem.output_elements() * element, stream);
  std::int64_t most = 0;
  for (const auto& plan : plans) most = std::max(most, plan->workspace_bytes());
  const auto workspace = zeros(most, stream);

  std::vector<TimedPlan> timed;
  std::string last_failure = "no candidate";
  cuda::Event start, stop;
  for (const auto& plan : plans) {
    try {
      const auto run = [&] { plan->execute(handle, image.data(), filter.data(), output.data(), workspace.data()); };
      run();  // loads or compiles the kernel
      std::vector<float> times;
      for (int i = 0; i < how.repeats; ++i) {
        start.record(stream);
        run();
        stop.record(stream);
        times.push_back(stop.since(start));
      }
      const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
      std::nth_element(times.begin(), middle, times.end());
      timed.push_back({plan, *middle});
    } catch (const Error& e) {
      last_failure = e.what();
    }
  }
  IL_CHECK(!timed.empty(), "cudnn: autotune: nothing ran for {}: {}", to_string(problem), last_failure);
  std::stable_sort(timed.begin(), timed.end(),
                   [](const TimedPlan& a, const TimedPlan& b) { return a.median_ms < b.median_ms; });
  cache.put(options, device, timed.front().plan);
  return timed;
}

}  // namespace innerloop::kernels::cudnn
