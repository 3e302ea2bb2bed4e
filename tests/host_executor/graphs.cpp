// Stream capture and graphs: what is recorded, in which order it may run again, and what a capture refuses.
#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "kernels/cuda/host/diagnostics.h"
#include "kernels/cuda/host/options.h"
#include "kernels/cuda/host/runtime.h"
#include "tests/host_executor/device_array.h"
#include "tests/host_executor/handles.h"
#include "tests/host_executor/sample_kernels.h"

namespace innerloop::tests {
namespace {

using host_executor::ScopedOptions;
using host_executor::StreamOrder;

constexpr int kLength = 64;
constexpr std::size_t kLengthBytes = kLength * sizeof(float);
constexpr auto kThreadLocal = cudaStreamCaptureModeThreadLocal;

/// A captured graph and its executable.
class Graph {
 public:
  explicit Graph(cudaStream_t captured) {
    require(cudaStreamEndCapture(captured, &graph_));
    require(cudaGraphInstantiate(&executable_, graph_, 0));
  }
  ~Graph() {
    cudaGraphExecDestroy(executable_);
    cudaGraphDestroy(graph_);
  }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  void launch(cudaStream_t stream) const { require(cudaGraphLaunch(executable_, stream)); }
  std::size_t nodes() const {
    std::size_t count = 0;
    require(cudaGraphGetNodes(graph_, nullptr, &count));
    return count;
  }
  cudaGraph_t handle() const { return graph_; }

 private:
  cudaGraph_t graph_ = nullptr;
  cudaGraphExec_t executable_ = nullptr;
};

/// Ends a capture that must have gone wrong with `expected`.
void expect_lost(cudaStream_t stream, cudaError_t expected) {
  cudaGraph_t graph = nullptr;
  EXPECT_EQ(cudaStreamEndCapture(stream, &graph), expected);
  EXPECT_EQ(graph, nullptr);
  static_cast<void>(cudaGetLastError());
}

cudaStreamCaptureStatus status_of(cudaStream_t stream) {
  cudaStreamCaptureStatus status{};
  require(cudaStreamIsCapturing(stream, &status));
  return status;
}

class GraphTest : public testing::TestWithParam<StreamOrder> {
 protected:
  GraphTest() : options_(with_streams(GetParam())) {}

 private:
  ScopedOptions options_;
};
std::string name_of_streams(const testing::TestParamInfo<StreamOrder>& order) {
  constexpr const char* kNames[] = {"Immediate", "Queued", "Shuffled"};
  return kNames[static_cast<int>(order.param)];
}
INSTANTIATE_TEST_SUITE_P(Orders, GraphTest,
                         testing::Values(StreamOrder::kImmediate, StreamOrder::kQueued, StreamOrder::kShuffled),
                         name_of_streams);

TEST_P(GraphTest, RecordsInsteadOfRunningAndRunsAgainOnNewValues) {
  const DeviceArray<float> x(kLength, 1.0f), y(kLength, 0.0f), z(kLength, 0.0f);
  const Stream stream;
  EXPECT_EQ(status_of(stream.handle), cudaStreamCaptureStatusNone);
  const auto before = host_executor::statistics().launches;
  require(cudaStreamBeginCapture(stream.handle, kThreadLocal));
  EXPECT_EQ(status_of(stream.handle), cudaStreamCaptureStatusActive);
  scale_add(y.data(), x.data(), 2.0f, 1.0f, kLength, stream.handle);
  require(cudaMemcpyAsync(z.data(), y.data(), kLengthBytes, cudaMemcpyDeviceToDevice, stream.handle));
  require(cudaMemsetAsync(y.data(), 0, kLengthBytes, stream.handle));
  const Graph graph(stream.handle);
  EXPECT_EQ(status_of(stream.handle), cudaStreamCaptureStatusNone);
  EXPECT_EQ(graph.nodes(), 3u);
  require(cudaDeviceSynchronize());
  EXPECT_EQ(host_executor::statistics().launches, before) << "nothing has run yet";
  EXPECT_EQ(z.get()[0], 0.0f);

  for (const float value : {1.0f, 5.0f}) {
    const std::vector<float> input(kLength, value);
    require(cudaMemcpy(x.data(), input.data(), kLengthBytes, cudaMemcpyHostToDevice));
    graph.launch(stream.handle);
    require(cudaStreamSynchronize(stream.handle));
    EXPECT_EQ(z.get()[kLength - 1], 2.0f * value + 1.0f);
    EXPECT_EQ(y.get()[0], 0.0f);
  }
  EXPECT_EQ(host_executor::statistics().launches, before + 2);
}

TEST_P(GraphTest, LaunchesKeepTheOrderOfTheirStreamAndOfEachOther) {
  const DeviceArray<float> x(kLength, 1.0f);
  const Stream stream, other;
  require(cudaStreamBeginCapture(stream.handle, kThreadLocal));
  scale_add(x.data(), x.data(), 2.0f, 0.0f, kLength, stream.handle);
  scale_add(x.data(), x.data(), 1.0f, 1.0f, kLength, stream.handle);
  const Graph graph(stream.handle);
  scale_add(x.data(), x.data(), 3.0f, 0.0f, kLength, stream.handle);  // 3
  graph.launch(stream.handle);                                        // 7
  graph.launch(other.handle);                                         // 15, behind the launch before it
  require(cudaStreamSynchronize(other.handle));
  EXPECT_EQ(x.get()[0], 15.0f);
}

/// x + 1 on a second stream between x * 2 and x * 10 on the first; what one launch makes of 1.
enum class Join { kEvents, kForgottenFork };
float forked(Join join) {
  const DeviceArray<float> x(kLength, 1.0f), y(kLength, 0.0f);
  const Stream first, second;
  const Event fork, done;
  require(cudaStreamBeginCapture(first.handle, kThreadLocal));
  if (join == Join::kForgottenFork) require(cudaEventRecord(fork.handle, first.handle));
  scale_add(y.data(), x.data(), 2.0f, 0.0f, kLength, first.handle);
  if (join == Join::kEvents) require(cudaEventRecord(fork.handle, first.handle));
  require(cudaStreamWaitEvent(second.handle, fork.handle, 0));
  EXPECT_EQ(status_of(second.handle), cudaStreamCaptureStatusActive) << "the event carries the capture";
  scale_add(y.data(), y.data(), 1.0f, 1.0f, kLength, second.handle);
  require(cudaEventRecord(done.handle, second.handle));
  require(cudaStreamWaitEvent(first.handle, done.handle, 0));
  scale_add(y.data(), y.data(), 10.0f, 0.0f, kLength, first.handle);
  const Graph graph(first.handle);
  EXPECT_EQ(status_of(second.handle), cudaStreamCaptureStatusNone);
  EXPECT_EQ(graph.nodes(), 3u) << "events are edges";
  graph.launch(first.handle);
  require(cudaStreamSynchronize(first.handle));
  return y.get()[0];
}

TEST_P(GraphTest, EventsAreEdges) {
  for (int i = 0; i < 8; ++i) EXPECT_EQ(forked(Join::kEvents), 30.0f);
}

TEST(Graphs, AMissingEdgeShows) {
  {
    const ScopedOptions scope(with_streams(StreamOrder::kQueued));
    EXPECT_EQ(forked(Join::kForgottenFork), 20.0f) << "the later node runs first where nothing forbids it";
  }
  const ScopedOptions scope(with_streams(StreamOrder::kShuffled));
  std::set<float> results;
  for (int i = 0; i < 20; ++i) results.insert(forked(Join::kForgottenFork));
  EXPECT_EQ(results, (std::set<float>{20.0f, 30.0f})) << "both orders occur";
}

TEST(Graphs, ReplaysReadPinnedMemoryAnew) {
  const DeviceArray<float> x(kLength, 0.0f);
  const Pinned source(kLength), result(kLength);
  const Stream stream;
  require(cudaStreamBeginCapture(stream.handle, kThreadLocal));
  require(cudaMemcpyAsync(x.data(), source.data, kLengthBytes, cudaMemcpyHostToDevice, stream.handle));
  scale_add(x.data(), x.data(), 2.0f, 0.0f, kLength, stream.handle);
  require(cudaMemcpy2DAsync(result.data, 4, x.data(), 8, 4, 8, cudaMemcpyDeviceToHost, stream.handle));
  const Graph graph(stream.handle);
  for (const float value : {3.0f, 4.0f}) {
    for (int i = 0; i < kLength; ++i) source.data[i] = value + static_cast<float>(i);
    graph.launch(stream.handle);
    require(cudaStreamSynchronize(stream.handle));
    for (int i = 0; i < 8; ++i) EXPECT_EQ(result.data[i], 2.0f * (value + 2.0f * static_cast<float>(i)));
  }
}

TEST(Graphs, MayBeDestroyedBeforeTheyHaveRun) {
  const ScopedOptions scope(with_streams(StreamOrder::kQueued));
  const DeviceArray<float> x(kLength, 1.0f);
  const Stream stream;
  {
    require(cudaStreamBeginCapture(stream.handle, kThreadLocal));
    scale_add(x.data(), x.data(), 2.0f, 0.0f, kLength, stream.handle);
    const Graph graph(stream.handle);
    graph.launch(stream.handle);
  }
  require(cudaStreamSynchronize(stream.handle));
  EXPECT_EQ(x.get()[0], 2.0f);
}

TEST(Graphs, FaultsOfAReplayComeFromTheSynchronisation) {
  const ScopedOptions scope(with_streams(StreamOrder::kQueued));
  const DeviceArray<float> x(kLength, 1.0f);
  const Stream stream;
  require(cudaStreamBeginCapture(stream.handle, kThreadLocal));
  scale_add(x.data(), x.data() + 1, 1.0f, 0.0f, kLength, stream.handle);  // 4 bytes off a multiple of 16
  const Graph graph(stream.handle);
  graph.launch(stream.handle);
  EXPECT_THROW(cudaStreamSynchronize(stream.handle), host_executor::KernelError);
  EXPECT_EQ(cudaStreamSynchronize(stream.handle), cudaSuccess);
}

TEST(Capture, RefusesToWaitAndIsLost) {
  const Stream stream;
  const Event event;
  const auto attempts = std::vector<std::pair<cudaError_t, std::function<cudaError_t()>>>{
      {cudaErrorStreamCaptureUnsupported, [&] { return cudaStreamSynchronize(stream.handle); }},
      {cudaErrorStreamCaptureUnsupported, [&] { return cudaStreamQuery(stream.handle); }},
      {cudaErrorStreamCaptureUnsupported, [&] { return cudaDeviceSynchronize(); }},
      {cudaErrorCapturedEvent, [&] { return cudaEventSynchronize(event.handle); }},
      {cudaErrorCapturedEvent, [&] { return cudaEventQuery(event.handle); }},
  };
  for (const auto& [expected, attempt] : attempts) {
    require(cudaStreamBeginCapture(stream.handle, kThreadLocal));
    require(cudaEventRecord(event.handle, stream.handle));
    EXPECT_EQ(attempt(), expected);
    EXPECT_EQ(status_of(stream.handle), cudaStreamCaptureStatusInvalidated);
    EXPECT_EQ(cudaMemsetAsync(nullptr, 0, 0, stream.handle), cudaSuccess) << "nothing to record";
    expect_lost(stream.handle, cudaErrorStreamCaptureInvalidated);
    EXPECT_EQ(cudaStreamSynchronize(stream.handle), cudaSuccess) << "the stream is as before";
  }
}

TEST(Capture, RefusesToAllocateAndToCopyPageableMemory) {
  const DeviceArray<float> x(kLength, 1.0f);
  std::vector<float> host(kLength);
  const Stream stream;
  void* memory = nullptr;
  const auto attempts = std::vector<std::function<cudaError_t()>>{
      [&] { return cudaMalloc(&memory, 256); },
      [&] { return cudaMallocManaged(&memory, 256); },
      [&] { return cudaMallocAsync(&memory, 256, stream.handle); },
      [&] { return cudaMallocHost(&memory, 256); },
      [&] { return cudaFree(x.data()); },
      [&] { return cudaFreeAsync(x.data(), stream.handle); },
      [&] { return cudaMemcpy(x.data(), host.data(), kLengthBytes, cudaMemcpyHostToDevice); },
      [&] { return cudaMemset(x.data(), 0, kLengthBytes); },
      [&] { return cudaMemcpyAsync(x.data(), host.data(), kLengthBytes, cudaMemcpyHostToDevice, stream.handle); },
      [&] { return cudaMemcpyAsync(host.data(), x.data(), kLengthBytes, cudaMemcpyDeviceToHost, stream.handle); },
  };
  for (const auto& attempt : attempts) {
    require(cudaStreamBeginCapture(stream.handle, kThreadLocal));
    EXPECT_EQ(attempt(), cudaErrorStreamCaptureUnsupported);
    EXPECT_EQ(memory, nullptr);
    EXPECT_EQ(cudaMemsetAsync(x.data(), 0, kLengthBytes, stream.handle), cudaErrorStreamCaptureInvalidated);
    EXPECT_THROW(scale_add(x.data(), x.data(), 2.0f, 0.0f, kLength, stream.handle), host_executor::KernelError);
    expect_lost(stream.handle, cudaErrorStreamCaptureInvalidated);
  }
  EXPECT_EQ(x.get()[0], 1.0f) << "nothing was freed, copied or run";
}

TEST(Capture, ModesSayWhoseCallsAreRefused) {
  const Stream stream;
  const auto allocate = [] {
    void* memory = nullptr;
    const cudaError_t status = cudaMalloc(&memory, 256);
    static_cast<void>(cudaGetLastError());
    cudaFree(memory);
    return status;
  };
  const auto elsewhere = [&] {
    cudaError_t status{};
    std::thread([&] { status = allocate(); }).join();
    return status;
  };
  require(cudaStreamBeginCapture(stream.handle, cudaStreamCaptureModeThreadLocal));
  EXPECT_EQ(elsewhere(), cudaSuccess);
  EXPECT_EQ(status_of(stream.handle), cudaStreamCaptureStatusActive);
  cudaGraph_t graph = nullptr;
  cudaError_t ended{};
  std::thread([&] { ended = cudaStreamEndCapture(stream.handle, &graph); }).join();
  EXPECT_EQ(ended, cudaErrorStreamCaptureWrongThread);
  EXPECT_EQ(allocate(), cudaErrorStreamCaptureUnsupported);
  expect_lost(stream.handle, cudaErrorStreamCaptureInvalidated);

  require(cudaStreamBeginCapture(stream.handle, cudaStreamCaptureModeGlobal));
  EXPECT_EQ(elsewhere(), cudaErrorStreamCaptureUnsupported);
  expect_lost(stream.handle, cudaErrorStreamCaptureInvalidated);

  require(cudaStreamBeginCapture(stream.handle, cudaStreamCaptureModeRelaxed));
  EXPECT_EQ(allocate(), cudaSuccess);
  const Graph empty(stream.handle);
  EXPECT_EQ(empty.nodes(), 0u);
  empty.launch(stream.handle);
  EXPECT_EQ(cudaStreamSynchronize(stream.handle), cudaSuccess);
}

TEST(Capture, EndsWhereItBeganWithAllStreamsJoined) {
  const DeviceArray<float> x(kLength, 1.0f);
  const Stream first, second;
  const Event fork;
  cudaGraph_t graph = nullptr;
  EXPECT_EQ(cudaStreamEndCapture(first.handle, &graph), cudaErrorIllegalState);
  EXPECT_EQ(cudaStreamBeginCapture(nullptr, kThreadLocal), cudaErrorStreamCaptureUnsupported);
  const auto begin_forked = [&] {
    require(cudaStreamBeginCapture(first.handle, kThreadLocal));
    EXPECT_EQ(cudaStreamBeginCapture(first.handle, kThreadLocal), cudaErrorIllegalState);
    require(cudaEventRecord(fork.handle, first.handle));
    require(cudaStreamWaitEvent(second.handle, fork.handle, 0));
    scale_add(x.data(), x.data(), 2.0f, 0.0f, kLength, second.handle);
  };
  begin_forked();
  EXPECT_EQ(cudaStreamEndCapture(second.handle, &graph), cudaErrorStreamCaptureUnmatched);
  expect_lost(first.handle, cudaErrorStreamCaptureInvalidated);
  begin_forked();
  expect_lost(first.handle, cudaErrorStreamCaptureUnjoined);
  EXPECT_EQ(cudaStreamWaitEvent(second.handle, fork.handle, 0), cudaErrorCapturedEvent) << "that capture is over";
  require(cudaStreamSynchronize(second.handle));
  EXPECT_EQ(x.get()[0], 1.0f);
}

TEST(Capture, KeepsApartWhatIsNotRecorded) {
  const Stream first, second, blocking(cudaStreamDefault);
  const Event outside, inside;
  require(cudaEventRecord(outside.handle, second.handle));
  require(cudaStreamBeginCapture(first.handle, kThreadLocal));
  EXPECT_EQ(cudaStreamWaitEvent(first.handle, outside.handle, 0), cudaErrorStreamCaptureIsolation);
  expect_lost(first.handle, cudaErrorStreamCaptureInvalidated);

  require(cudaStreamBeginCapture(first.handle, kThreadLocal));
  require(cudaStreamBeginCapture(second.handle, kThreadLocal));
  require(cudaEventRecord(inside.handle, first.handle));
  EXPECT_EQ(cudaStreamWaitEvent(second.handle, inside.handle, 0), cudaErrorStreamCaptureMerge);
  expect_lost(second.handle, cudaErrorStreamCaptureInvalidated);
  expect_lost(first.handle, cudaErrorStreamCaptureInvalidated);

  const DeviceArray<float> x(kLength, 1.0f);
  require(cudaStreamBeginCapture(blocking.handle, kThreadLocal));
  EXPECT_EQ(cudaMemsetAsync(x.data(), 0, kLengthBytes, nullptr), cudaErrorStreamCaptureImplicit)
      << "the default stream would wait for work that never runs";
  expect_lost(blocking.handle, cudaErrorStreamCaptureInvalidated);
  require(cudaStreamBeginCapture(first.handle, kThreadLocal));
  EXPECT_EQ(cudaMemsetAsync(x.data(), 0, kLengthBytes, nullptr), cudaSuccess) << "not for a non-blocking stream's";
  const Graph empty(first.handle);
}

TEST(Capture, IsLostWithItsStream) {
  {
    const Stream stream;
    require(cudaStreamBeginCapture(stream.handle, cudaStreamCaptureModeGlobal));
  }
  void* memory = nullptr;
  EXPECT_EQ(cudaMalloc(&memory, 256), cudaSuccess);
  cudaFree(memory);
}

TEST(Graphs, RefuseHandlesThatAreNone) {
  const Stream stream;
  require(cudaStreamBeginCapture(stream.handle, kThreadLocal));
  cudaGraph_t graph = nullptr;
  require(cudaStreamEndCapture(stream.handle, &graph));
  cudaGraphExec_t executable = nullptr;
  EXPECT_EQ(cudaGraphInstantiate(&executable, graph, 1u << 20), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGraphInstantiate(&executable, graph, 0), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGraphLaunch(executable, stream.handle), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGraphExecDestroy(executable), cudaErrorInvalidValue);
  static_cast<void>(cudaGetLastError());
}

}  // namespace
}  // namespace innerloop::tests
