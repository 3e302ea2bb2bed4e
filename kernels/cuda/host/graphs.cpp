#include "kernels/cuda/host/graphs.h"

#include <algorithm>
#include <utility>

#include "kernels/cuda/host/options.h"

namespace innerloop::host_executor {
namespace {

void merge(NodeList& into, const NodeList& more) {
  for (const std::size_t node : more) {
    if (std::find(into.begin(), into.end(), node) == into.end()) into.push_back(node);
  }
}

}  // namespace

void Capture::add(CUstream_st& stream, WorkFunction run) {
  const std::size_t index = graph->nodes.size();
  graph->nodes.push_back(std::make_shared<CUgraphNode_st>(
      CUgraphNode_st{std::move(run), std::exchange(stream.captured, NodeList{index})}));
}

void Capture::join(CUstream_st& stream, const NodeList& nodes) {
  if (std::find(streams.begin(), streams.end(), &stream) == streams.end()) streams.push_back(&stream);
  merge(stream.captured, nodes);
}

bool Capture::all_joined() const {
  std::vector<bool> before_end(graph->nodes.size(), false);
  for (const std::size_t node : origin->captured) before_end[node] = true;
  for (std::size_t i = graph->nodes.size(); i-- > 0;) {  // dependences point to earlier nodes
    if (!before_end[i]) return false;
    for (const std::size_t node : graph->nodes[i]->after) before_end[node] = true;
  }
  return true;
}

Captures& Captures::instance() {
  static auto* const captures = new Captures;  // never destroyed, as the streams
  return *captures;
}

cudaError_t Captures::begin(CUstream_st& stream, cudaStreamCaptureMode mode) {
  if (stream.kind == CUstream_st::Kind::kDefault) return cudaErrorStreamCaptureUnsupported;
  if (stream.capture != nullptr) return cudaErrorIllegalState;
  auto capture = std::make_shared<Capture>();
  capture->mode = mode;
  capture->thread = std::this_thread::get_id();
  capture->origin = &stream;
  capture->graph = std::make_unique<CUgraph_st>();
  capture->join(stream, {});
  stream.capture = capture;
  open_.push_back(std::move(capture));
  return cudaSuccess;
}

void Captures::close(Capture& capture) {
  capture.state = Capture::State::kEnded;
  for (CUstream_st* const stream : capture.streams) {
    stream->capture = nullptr;
    stream->captured.clear();
  }
  std::erase_if(open_, [&](const auto& c) { return c.get() == &capture; });
}

cudaError_t Captures::end(CUstream_st& stream, cudaGraph_t* graph) {
  if (graph == nullptr) return cudaErrorInvalidValue;
  *graph = nullptr;
  const std::shared_ptr<Capture> capture = stream.capture;
  if (capture == nullptr) return cudaErrorIllegalState;
  if (capture->origin != &stream) {
    capture->invalidate();
    return cudaErrorStreamCaptureUnmatched;
  }
  if (capture->mode != cudaStreamCaptureModeRelaxed && capture->thread != std::this_thread::get_id()) {
    return cudaErrorStreamCaptureWrongThread;
  }
  const bool valid = capture->state == Capture::State::kActive, joined = capture->all_joined();
  close(*capture);
  if (!valid) return cudaErrorStreamCaptureInvalidated;
  if (!joined) return cudaErrorStreamCaptureUnjoined;
  *graph = capture->graph.release();
  return cudaSuccess;
}

cudaStreamCaptureStatus Captures::status(const CUstream_st& stream) const {
  if (stream.capture == nullptr) return cudaStreamCaptureStatusNone;
  return stream.capture->state == Capture::State::kActive ? cudaStreamCaptureStatusActive
                                                          : cudaStreamCaptureStatusInvalidated;
}

/// Whether work on `stream` would have to wait for work that is only being recorded: the legacy default stream's rule.
bool Captures::implicit(const CUstream_st& stream) const {
  return stream.kind == CUstream_st::Kind::kDefault && std::any_of(open_.begin(), open_.end(), [](const auto& c) {
           return std::any_of(c->streams.begin(), c->streams.end(),
                              [](const CUstream_st* s) { return s->kind == CUstream_st::Kind::kBlocking; });
         });
}

cudaError_t Captures::refuse_implicit() {
  for (const auto& capture : open_) {
    if (std::any_of(capture->streams.begin(), capture->streams.end(),
                    [](const CUstream_st* s) { return s->kind == CUstream_st::Kind::kBlocking; }))
      capture->invalidate();
  }
  return cudaErrorStreamCaptureImplicit;
}

cudaError_t Captures::admit(const CUstream_st& stream) {
  if (implicit(stream)) return refuse_implicit();
  const bool valid = stream.capture == nullptr || stream.capture->state == Capture::State::kActive;
  return valid ? cudaSuccess : cudaErrorStreamCaptureInvalidated;
}

cudaError_t Captures::admit_unrecordable(const CUstream_st& stream) {
  if (implicit(stream)) return refuse_implicit();
  if (stream.capture == nullptr) return cudaSuccess;
  stream.capture->invalidate();
  return cudaErrorStreamCaptureUnsupported;
}

cudaError_t Captures::admit_device_wait() {
  for (const auto& capture : open_) capture->invalidate();
  return open_.empty() ? cudaSuccess : cudaErrorStreamCaptureUnsupported;
}

cudaError_t Captures::admit_unsafe_call() {
  cudaError_t status = cudaSuccess;
  for (const auto& capture : open_) {
    const bool mine = capture->thread == std::this_thread::get_id();
    if (capture->mode == cudaStreamCaptureModeRelaxed) continue;
    if (capture->mode == cudaStreamCaptureModeThreadLocal && !mine) continue;
    capture->invalidate();
    status = cudaErrorStreamCaptureUnsupported;
  }
  return status;
}

void Captures::record_event(CUstream_st& stream, CUevent_st& event) {
  event.capture = stream.capture;
  event.captured = stream.captured;
  event.recorded = 0;
  event.time = nullptr;
}

cudaError_t Captures::wait_event(CUstream_st& stream, const CUevent_st& event) {
  if (event.capture == nullptr) {
    if (stream.capture == nullptr || event.recorded == 0) return cudaSuccess;
    stream.capture->invalidate();
    return cudaErrorStreamCaptureIsolation;
  }
  Capture& capture = *event.capture;
  if (capture.state == Capture::State::kEnded) return cudaErrorCapturedEvent;
  if (stream.kind == CUstream_st::Kind::kDefault) {
    capture.invalidate();
    return cudaErrorStreamCaptureUnsupported;
  }
  if (stream.capture != nullptr && stream.capture != event.capture) {
    capture.invalidate();
    stream.capture->invalidate();
    return cudaErrorStreamCaptureMerge;
  }
  if (capture.state == Capture::State::kInvalidated) return cudaErrorStreamCaptureInvalidated;
  capture.join(stream, event.captured);
  stream.capture = event.capture;
  return cudaSuccess;
}

cudaError_t Captures::admit_event_wait(const CUevent_st& event) {
  if (event.capture == nullptr) return cudaSuccess;
  if (event.capture->state == Capture::State::kActive) event.capture->invalidate();
  return cudaErrorCapturedEvent;
}

void Captures::forget(CUstream_st& stream) {
  const std::shared_ptr<Capture> capture = stream.capture;
  if (capture == nullptr) return;
  capture->invalidate();
  std::erase(capture->streams, &stream);
  if (capture->origin == &stream) close(*capture);  // nobody can end it any more
}

void run_nodes(const std::vector<std::shared_ptr<CUgraphNode_st>>& nodes, OrderDraws& draws) {
  std::vector<std::size_t> waits_for(nodes.size());
  std::vector<NodeList> before(nodes.size());
  NodeList ready;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    waits_for[i] = nodes[i]->after.size();
    for (const std::size_t node : nodes[i]->after) before[node].push_back(i);
    if (waits_for[i] == 0) ready.push_back(i);
  }
  while (!ready.empty()) {
    auto pick = ready.begin();
    switch (options().streams) {
      case StreamOrder::kImmediate:
        pick = std::min_element(ready.begin(), ready.end());
        break;
      case StreamOrder::kQueued:
        pick = std::max_element(ready.begin(), ready.end());
        break;
      case StreamOrder::kShuffled:
        pick += draws.below(static_cast<std::uint32_t>(ready.size()));
        break;
    }
    const std::size_t node = *pick;
    ready.erase(pick);
    nodes[node]->run();
    for (const std::size_t next : before[node]) {
      if (--waits_for[next] == 0) ready.push_back(next);
    }
  }
}

}  // namespace innerloop::host_executor
