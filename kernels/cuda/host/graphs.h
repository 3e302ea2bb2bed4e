// Stream capture and graphs: work that is recorded instead of queued, to be queued again as a whole by each launch.
//
// While a stream is captured, launches, copies and fills on it become nodes; a node depends on what its stream did and
// awaited before it. An event that was recorded in a capture carries it to the streams that wait for the event, and
// they must be joined again the same way. What cannot be recorded (waiting, allocating, pageable memory) is refused
// with CUDA's error code and invalidates the capture. Pageable memory is refused although some drivers record it: what
// a replay reads from it is whatever lies there by then.
//
// A launch is one piece of work on its stream. Nodes run in the recorded order with StreamOrder::kImmediate, the latest
// that may run first with kQueued and in random order with kShuffled, so that a missing dependence shows.
#pragma once

#include <cuda_runtime_api.h>

#include <memory>
#include <thread>
#include <vector>

#include "kernels/cuda/host/streams.h"

// The runtime API declares these three and leaves them to its implementation.
struct CUgraphNode_st {
  innerloop::host_executor::WorkFunction run;
  innerloop::host_executor::NodeList after;
};
struct CUgraph_st {
  std::vector<std::shared_ptr<CUgraphNode_st>> nodes;
};
struct CUgraphExec_st {
  std::vector<std::shared_ptr<CUgraphNode_st>> nodes;
  innerloop::host_executor::WorkId last = 0;  ///< its latest launch: launches of one graph run one after the other
};

namespace innerloop::host_executor {

struct Capture {
  enum class State { kActive, kInvalidated, kEnded };
  State state = State::kActive;
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  std::thread::id thread;         ///< that began it
  CUstream_st* origin = nullptr;  ///< where it began and must end; null once destroyed
  std::vector<CUstream_st*> streams;
  std::unique_ptr<CUgraph_st> graph;

  void invalidate() { state = State::kInvalidated; }
  /// Adds a node behind all that `stream` did and awaited.
  void add(CUstream_st& stream, WorkFunction run);
  /// Makes `stream` part of the capture, behind `nodes`.
  void join(CUstream_st& stream, const NodeList& nodes);
  /// Whether every node comes before the end of the origin.
  bool all_joined() const;
};

/// The captures under way. Each call returns CUDA's status; those that refuse work invalidate the captures in question.
class Captures {
 public:
  static Captures& instance();

  cudaError_t begin(CUstream_st& stream, cudaStreamCaptureMode mode);
  /// `graph` is null unless it succeeds. The capture is over in any case but those of a wrong stream or thread.
  cudaError_t end(CUstream_st& stream, cudaGraph_t* graph);
  cudaStreamCaptureStatus status(const CUstream_st& stream) const;

  /// Before work is put on `stream`, to run or to be recorded.
  cudaError_t admit(const CUstream_st& stream);
  /// Before a call on `stream` that has no recorded form: waiting for it, asking how far it is, pageable copies.
  cudaError_t admit_unrecordable(const CUstream_st& stream);
  /// Before a call that waits for the device.
  cudaError_t admit_device_wait();
  /// Before a call that may wait inside and is not put on a stream, such as cudaMalloc.
  cudaError_t admit_unsafe_call();

  void record_event(CUstream_st& stream, CUevent_st& event);
  cudaError_t wait_event(CUstream_st& stream, const CUevent_st& event);
  /// Before the host waits for `event` or asks for it.
  cudaError_t admit_event_wait(const CUevent_st& event);

  /// A stream is about to be destroyed.
  void forget(CUstream_st& stream);

 private:
  bool implicit(const CUstream_st& stream) const;
  cudaError_t refuse_implicit();
  void close(Capture& capture);

  std::vector<std::shared_ptr<Capture>> open_;
};

/// Runs all nodes once, in an order that their dependences allow (above).
void run_nodes(const std::vector<std::shared_ptr<CUgraphNode_st>>& nodes, OrderDraws& draws);

}  // namespace innerloop::host_executor
