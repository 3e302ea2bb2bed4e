// Streams, events and memory: what a forgotten synchronisation looks like, and what the runtime's calls refuse.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "kernels/cuda/host/diagnostics.h"
#include "kernels/cuda/host/options.h"
#include "kernels/cuda/host/runtime.h"
#include "tests/host_executor/device_array.h"
#include "tests/host_executor/handles.h"
#include "tests/host_executor/sample_kernels.h"
#include "tests/host_executor/seeded_bugs.h"

namespace innerloop::tests {
namespace {

using host_executor::Options;
using host_executor::ScopedOptions;
using host_executor::StreamOrder;

constexpr int kCount = 64;

/// x * 2 on `first`, then + 1 in place on `second`; what the host sees after waiting for `second`.
enum class Ordering { kEvent, kNone };
float two_streams(Ordering ordering) {
  const DeviceArray<float> x(kCount, 1.0f), y(kCount, 0.0f);
  const Stream first, second;
  const Event done;
  scale_add(y.data(), x.data(), 2.0f, 0.0f, kCount, first.handle);
  require(cudaEventRecord(done.handle, first.handle));
  if (ordering == Ordering::kEvent) require(cudaStreamWaitEvent(second.handle, done.handle, 0));
  scale_add(y.data(), y.data(), 1.0f, 1.0f, kCount, second.handle);
  require(cudaStreamSynchronize(second.handle));
  require(cudaDeviceSynchronize());
  return y.get()[0];
}

TEST(Streams, EventsOrderThem) {
  for (const auto order : {StreamOrder::kImmediate, StreamOrder::kQueued, StreamOrder::kShuffled}) {
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
      const ScopedOptions scope(with_streams(order, seed));
      EXPECT_EQ(two_streams(Ordering::kEvent), 3.0f);
    }
  }
}

TEST(Streams, AMissingEventShows) {
  {
    const ScopedOptions scope(with_streams(StreamOrder::kQueued));
    EXPECT_EQ(two_streams(Ordering::kNone), 2.0f) << "the second stream runs first, the first overwrites it";
  }
  const ScopedOptions scope(with_streams(StreamOrder::kShuffled));
  std::set<float> results;
  for (int i = 0; i < 20; ++i) results.insert(two_streams(Ordering::kNone));
  EXPECT_EQ(results, (std::set<float>{2.0f, 3.0f})) << "both orders of the two streams occur";
}

TEST(Streams, AMissingSynchronisationShows) {
  const ScopedOptions scope(with_streams(StreamOrder::kQueued));
  const DeviceArray<float> x(kCount, 1.0f), y(kCount);
  const Pinned result(kCount);
  const Stream stream;
  scale_add(y.data(), x.data(), 2.0f, 0.0f, kCount, stream.handle);
  require(cudaMemcpyAsync(result.data, y.data(), kCount * sizeof(float), cudaMemcpyDeviceToHost, stream.handle));
  EXPECT_TRUE(std::isnan(result.data[0])) << "nobody has waited yet";
  EXPECT_EQ(cudaStreamQuery(stream.handle), cudaErrorNotReady);
  while (cudaStreamQuery(stream.handle) == cudaErrorNotReady) {
  }
  EXPECT_EQ(result.data[0], 2.0f);
}

TEST(Streams, PageableMemoryIsStaged) {
  const ScopedOptions scope(with_streams(StreamOrder::kQueued));
  const DeviceArray<float> x(kCount);
  std::vector<float> host(kCount, 5.0f);
  require(cudaMemcpyAsync(x.data(), host.data(), kCount * sizeof(float), cudaMemcpyHostToDevice, nullptr));
  host.assign(kCount, 6.0f);  // allowed: the call has read the source
  EXPECT_EQ(x.get()[0], 5.0f);
}

TEST(Streams, TheDefaultStreamWaitsForBlockingOnes) {
  const ScopedOptions scope(with_streams(StreamOrder::kQueued));
  const DeviceArray<float> x(kCount, 1.0f), y(kCount, 0.0f);
  const Stream blocking(cudaStreamDefault);
  scale_add(y.data(), x.data(), 2.0f, 0.0f, kCount, blocking.handle);
  EXPECT_EQ(y.get()[0], 2.0f) << "a copy on the default stream comes after";
  scale_add(y.data(), y.data(), 1.0f, 1.0f, kCount, nullptr);
  scale_add(y.data(), y.data(), 10.0f, 0.0f, kCount, blocking.handle);
  require(cudaStreamSynchronize(blocking.handle));
  EXPECT_EQ(y.get()[0], 30.0f) << "and blocking streams after the default one";
}

TEST(Streams, FaultsComeFromTheSynchronisation) {
  const ScopedOptions scope(with_streams(StreamOrder::kQueued));
  const DeviceArray<float> y(kCount, 0.0f);
  const Stream stream;
  scale_add(y.data(), y.data() + 1, 1.0f, 0.0f, kCount, stream.handle);  // 4 bytes off a multiple of 16
  EXPECT_THROW(cudaStreamSynchronize(stream.handle), host_executor::KernelError);
  EXPECT_EQ(cudaStreamSynchronize(stream.handle), cudaSuccess) << "and only once";
}

TEST(Streams, FaultsFoundByAFreeAreKept) {
  const ScopedOptions scope(with_streams(StreamOrder::kQueued));
  float* memory = nullptr;
  require(cudaMalloc(reinterpret_cast<void**>(&memory), kCount * sizeof(float)));
  scale_add(memory, memory + 1, 1.0f, 0.0f, kCount, nullptr);
  EXPECT_EQ(cudaFree(memory), cudaErrorLaunchFailure) << "must not throw: destructors call it";
  EXPECT_EQ(cudaGetLastError(), cudaErrorLaunchFailure);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  EXPECT_THROW(cudaDeviceSynchronize(), host_executor::KernelError);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
}

TEST(Streams, ADestroyedStreamStillFinishes) {
  const ScopedOptions scope(with_streams(StreamOrder::kQueued));
  const DeviceArray<float> x(kCount, 1.0f), y(kCount, 0.0f);
  {
    const Stream stream;
    scale_add(y.data(), x.data(), 2.0f, 0.0f, kCount, stream.handle);
  }
  require(cudaDeviceSynchronize());
  EXPECT_EQ(y.get()[0], 2.0f);
}

TEST(Streams, EventsMeasureTime) {
  const DeviceArray<float> x(kCount, 1.0f);
  const Event start, stop;
  float milliseconds = -1.0f;
  require(cudaEventRecord(start.handle, nullptr));
  scale_add(x.data(), x.data(), 2.0f, 0.0f, kCount, nullptr);
  require(cudaEventRecord(stop.handle, nullptr));
  require(cudaEventSynchronize(stop.handle));
  require(cudaEventElapsedTime(&milliseconds, start.handle, stop.handle));
  EXPECT_GE(milliseconds, 0.0f);
}

TEST(Memory, RefusesWhatADeviceRefuses) {
  void* memory = nullptr;
  EXPECT_EQ(cudaMalloc(&memory, std::size_t{1} << 50), cudaErrorMemoryAllocation);
  EXPECT_EQ(memory, nullptr);
  const DeviceArray<float> x(kCount);
  std::vector<float> host(kCount + 1);
  EXPECT_EQ(cudaMemcpy(x.data(), host.data(), (kCount + 1) * sizeof(float), cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(host.data(), host.data(), 4, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFree(x.data() + 1), cudaErrorInvalidValue);
  EXPECT_STREQ(cudaGetErrorName(cudaGetLastError()), "cudaErrorInvalidValue");
}

TEST(Memory, ManagedMemoryIsForBothSides) {
  float* memory = nullptr;
  require(cudaMallocManaged(reinterpret_cast<void**>(&memory), kCount * sizeof(float)));
  for (int i = 0; i < kCount; ++i) memory[i] = 3.0f;
  scale_add(memory, memory, 2.0f, 1.0f, kCount, nullptr);
  require(cudaDeviceSynchronize());
  EXPECT_EQ(memory[kCount - 1], 7.0f);
  require(cudaFree(memory));
}

TEST(Memory, PitchedCopiesLeaveTheGapsAlone) {
  for (const auto order : {StreamOrder::kImmediate, StreamOrder::kQueued}) {
    const ScopedOptions scope(with_streams(order));
    const DeviceArray<float> x(kCount, 1.0f);
    std::vector<float> host(12);
    for (std::size_t i = 0; i < host.size(); ++i) host[i] = 10.0f + static_cast<float>(i);
    // Rows of 2 floats: 4 apart at the host, 8 apart on the device.
    require(cudaMemcpy2DAsync(x.data(), 32, host.data(), 16, 8, 3, cudaMemcpyHostToDevice, nullptr));
    host.assign(12, 0.0f);  // allowed: the call has read the source
    const std::vector<float> got = x.get();
    for (int i = 0; i < kCount; ++i) {
      const bool written = i < 24 && i % 8 < 2;
      EXPECT_EQ(got[static_cast<std::size_t>(i)], written ? 10.0f + static_cast<float>(i / 8 * 4 + i % 8) : 1.0f) << i;
    }
    require(cudaMemcpy2DAsync(host.data(), 8, x.data(), 32, 8, 3, cudaMemcpyDeviceToHost, nullptr));
    EXPECT_EQ(host[5], 19.0f) << "a pageable target is written when the call returns";
  }
  const DeviceArray<float> x(kCount, 1.0f);
  std::vector<float> host(12);
  EXPECT_EQ(cudaMemcpy2DAsync(x.data(), 4, host.data(), 16, 8, 3, cudaMemcpyHostToDevice, nullptr),
            cudaErrorInvalidPitchValue);
  EXPECT_EQ(cudaMemcpy2DAsync(x.data(), 124, host.data(), 16, 16, 3, cudaMemcpyHostToDevice, nullptr),
            cudaErrorInvalidValue)
      << "3 rows end 8 bytes behind the allocation";
  static_cast<void>(cudaGetLastError());
}

TEST(Memory, FreshMemoryIsPoisonAndAccountedFor) {
  std::size_t before = 0, during = 0, after = 0, total = 0;
  require(cudaMemGetInfo(&before, &total));
  {
    const DeviceArray<float> x(kCount);
    require(cudaMemGetInfo(&during, &total));
    EXPECT_TRUE(std::isnan(x.get()[kCount - 1]));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(x.data()) % 256, 0u);
  }
  require(cudaMemGetInfo(&after, &total));
  EXPECT_EQ(before - during, kCount * sizeof(float));
  EXPECT_EQ(after, before);
}

TEST(Statistics, ThreadsThatDoNotBlockNeedNoSwitches) {
  const DeviceArray<float> x(4096, 1.0f);
  const auto before = host_executor::statistics();
  scale_add(x.data(), x.data(), 2.0f, 0.0f, 4096, nullptr);
  require(cudaDeviceSynchronize());
  const auto after = host_executor::statistics();
  EXPECT_EQ(after.launches - before.launches, 1u);
  EXPECT_EQ(after.blocks - before.blocks, 4u);
  EXPECT_EQ(after.threads - before.threads, 1024u);
  EXPECT_EQ(after.switches - before.switches, 2u) << "in, and out again";
}

}  // namespace
}  // namespace innerloop::tests
