// Launches by kernel, and programs whose kernels do nothing.
#include "kernels/cuda/host/launch_counts.h"

#include <gtest/gtest.h>

#include "kernels/cuda/host/options.h"
#include "tests/host_executor/device_array.h"
#include "tests/host_executor/handles.h"
#include "tests/host_executor/sample_kernels.h"

namespace innerloop::tests {
namespace {

using host_executor::launch_counts;
using host_executor::LaunchCounts;
using host_executor::reset_launch_counts;

constexpr int kCounted = 64;
constexpr std::size_t kCountedBytes = kCounted * sizeof(float);

TEST(LaunchCounts, AreByKernelWithCopiesAndFillsApart) {
  const DeviceArray<float> x(kCounted, 1.0f), y(kCounted, 0.0f);
  const Stream stream;
  require(cudaDeviceSynchronize());
  reset_launch_counts();
  scale_add(y.data(), x.data(), 2, 1, kCounted, stream.handle);
  scale_add(y.data(), x.data(), 2, 1, kCounted, stream.handle);
  EXPECT_EQ(launch_counts(), LaunchCounts{}) << "queued, not run";
  require(cudaMemcpyAsync(y.data(), x.data(), kCountedBytes, cudaMemcpyDeviceToDevice, stream.handle));
  require(cudaMemsetAsync(y.data(), 0, kCountedBytes, stream.handle));
  require(cudaStreamSynchronize(stream.handle));
  EXPECT_EQ(launch_counts(), (LaunchCounts{{"copy", 1}, {"fill", 1}, {"scale_add_kernel", 2}}));
}

TEST(LaunchCounts, SkippedKernelsAreCountedAndWriteNothing) {
  const DeviceArray<float> x(kCounted, 1.0f), y(kCounted, 5.0f);
  require(cudaDeviceSynchronize());
  host_executor::Options skip = host_executor::options();
  skip.kernels = host_executor::KernelWork::kSkip;
  reset_launch_counts();
  {
    const host_executor::ScopedOptions scope(skip);
    scale_add(y.data(), x.data(), 2, 1, kCounted, nullptr);
    require(cudaDeviceSynchronize());
  }
  EXPECT_EQ(launch_counts()["scale_add_kernel"], 1u);
  EXPECT_EQ(y.get()[0], 5.0f);
  scale_add(y.data(), x.data(), 2, 1, kCounted, nullptr);
  EXPECT_EQ(y.get()[0], 3.0f);
}

}  // namespace
}  // namespace innerloop::tests
