// The CUDA runtime API on host memory, part three: stream capture and graphs (graphs.h).
#include <cuda_runtime_api.h>

#include <algorithm>
#include <memory>
#include <set>

#include "kernels/cuda/host/graphs.h"
#include "kernels/cuda/host/runtime.h"
#include "kernels/cuda/host/runtime_status.h"

namespace innerloop::host_executor {
namespace {

using Lock = std::lock_guard<std::recursive_mutex>;

/// Handles that live; never destroyed, so that destructors of globals may still destroy graphs.
template <class T>
std::set<T*>& all() {
  static auto* const handles = new std::set<T*>;
  return *handles;
}

template <class T>
cudaError_t destroy(T* handle) {
  const Lock lock(runtime_mutex());
  if (all<T>().erase(handle) == 0) return note(cudaErrorInvalidValue);
  delete handle;
  return cudaSuccess;
}

}  // namespace
}  // namespace innerloop::host_executor

using namespace innerloop::host_executor;

extern "C" {

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  const Lock lock(runtime_mutex());
  return note(Captures::instance().begin(Streams::instance().stream(stream), mode));
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  const Lock lock(runtime_mutex());
  const cudaError_t status = Captures::instance().end(Streams::instance().stream(stream), graph);
  if (status == cudaSuccess) all<CUgraph_st>().insert(*graph);
  return note(status);
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  const Lock lock(runtime_mutex());
  if (status == nullptr) return note(cudaErrorInvalidValue);
  const CUstream_st& target = Streams::instance().stream(stream);
  if (const cudaError_t admitted = Captures::instance().admit(target); admitted == cudaErrorStreamCaptureImplicit) {
    return note(admitted);
  }
  *status = Captures::instance().status(target);
  return cudaSuccess;
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, std::size_t* count) {
  const Lock lock(runtime_mutex());
  if (all<CUgraph_st>().count(graph) == 0 || count == nullptr) return note(cudaErrorInvalidValue);
  const auto& list = graph->nodes;
  if (nodes == nullptr) {
    *count = list.size();
    return cudaSuccess;
  }
  for (std::size_t i = 0; i < *count; ++i) nodes[i] = i < list.size() ? list[i].get() : nullptr;
  *count = std::min(*count, list.size());
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long flags) {
  const Lock lock(runtime_mutex());
  if (executable == nullptr || flags != 0 || all<CUgraph_st>().count(graph) == 0) return note(cudaErrorInvalidValue);
  *executable = new CUgraphExec_st{graph->nodes, 0};
  all<CUgraphExec_st>().insert(*executable);
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  const Lock lock(runtime_mutex());
  Streams& streams = Streams::instance();
  streams.rethrow_kept();
  if (all<CUgraphExec_st>().count(executable) == 0) return note(cudaErrorInvalidValue);
  if (const cudaError_t status = Captures::instance().admit(streams.stream(stream)); status != cudaSuccess) {
    return note(status);
  }
  streams.wait_for(stream, executable->last);
  // The nodes are shared, so the graph may be destroyed before it has run, as CUDA allows.
  executable->last =
      streams.enqueue(stream, [nodes = executable->nodes] { run_nodes(nodes, Streams::instance().draws()); });
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) { return destroy(executable); }
cudaError_t cudaGraphDestroy(cudaGraph_t graph) { return destroy(graph); }

}  // extern "C"
