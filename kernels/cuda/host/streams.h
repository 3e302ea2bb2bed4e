// Streams and events: queues of launches, copies and fills, run at synchronisations (Options::streams).
//
// Work on one stream runs in order. Work on the default stream waits for all earlier work on blocking streams, and theirs for
// it (the legacy default stream of CUDA). A fault drops all work that is still queued and is thrown by the call that ran it.
#pragma once

#include <cuda_runtime_api.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "kernels/cuda/host/scheduler.h"

namespace innerloop::host_executor {

using WorkId = std::uint64_t;  ///< rises with each enqueued piece of work; 0 = none
using WorkFunction = std::function<void()>;
using NodeList = std::vector<std::size_t>;  ///< nodes of a graph by index
struct Capture;                             ///< graphs.h

struct Work {
  WorkId id = 0;
  std::vector<WorkId> after;
  WorkFunction run;
};

}  // namespace innerloop::host_executor

// The runtime API declares these two and leaves them to its implementation.
struct CUstream_st {
  enum class Kind { kDefault, kBlocking, kNonBlocking };
  Kind kind = Kind::kBlocking;
  std::deque<innerloop::host_executor::Work> queue;
  innerloop::host_executor::WorkId last = 0;               ///< the latest that was enqueued
  std::vector<innerloop::host_executor::WorkId> awaited;   ///< events that the next work waits for
  std::shared_ptr<innerloop::host_executor::Capture> capture;  ///< that its work is recorded in, if any
  innerloop::host_executor::NodeList captured;                 ///< nodes that the next recorded one comes after
};
struct CUevent_st {
  innerloop::host_executor::WorkId recorded = 0;
  std::shared_ptr<std::chrono::steady_clock::time_point> time;  ///< when the marker ran
  std::shared_ptr<innerloop::host_executor::Capture> capture;   ///< that it was last recorded in, if any
  innerloop::host_executor::NodeList captured;                  ///< nodes that it comes after there
};

namespace innerloop::host_executor {

class Streams {
 public:
  static Streams& instance();

  cudaStream_t create(CUstream_st::Kind kind);
  /// Its work stays queued and runs with the next synchronisation that waits for it or for the device.
  void destroy(cudaStream_t stream);
  /// The stream behind a handle, the default one for null and the two special handles. Throws for unknown handles.
  CUstream_st& stream(cudaStream_t handle);

  /// Puts work on a stream; runs it at once when Options::streams says so. Throws what it throws then. Work on a
  /// stream that is captured is recorded and has no id (0).
  WorkId enqueue(cudaStream_t handle, WorkFunction run);
  void wait_for(cudaStream_t handle, WorkId work);

  /// Runs work until `work` is done.
  void complete(WorkId work);
  void complete_stream(cudaStream_t handle) { complete(stream(handle).last); }
  void complete_default();
  void complete_all();
  bool is_done(WorkId work) const { return pending_.count(work) == 0; }
  /// Runs one piece of the work that `work` needs, so that polling comes to an end.
  void advance(WorkId work);

  /// For calls that must not throw: keeps `error`; rethrow_kept() throws it later.
  void keep(std::exception_ptr error) { kept_ = kept_ ? kept_ : error; }
  void rethrow_kept();

  /// For StreamOrder::kShuffled.
  OrderDraws& draws();

 private:
  Streams();
  void add_order(CUstream_st& stream, std::vector<WorkId>& after);
  bool can_run(const CUstream_st& stream) const;
  void run_head(CUstream_st& stream);
  void run_some(WorkId wanted);
  void drop_all();

  std::vector<std::unique_ptr<CUstream_st>> streams_;  // the first is the default stream
  std::vector<std::unique_ptr<CUstream_st>> retired_;
  std::unordered_map<WorkId, CUstream_st*> pending_;
  WorkId next_ = 1;
  OrderDraws draws_;
  bool draws_seeded_ = false;
  std::exception_ptr kept_;
};

}  // namespace innerloop::host_executor
