#include "kernels/cuda/host/streams.h"

#include <algorithm>
#include <utility>

#include "kernels/cuda/host/diagnostics.h"
#include "kernels/cuda/host/graphs.h"
#include "kernels/cuda/host/options.h"

namespace innerloop::host_executor {

Streams& Streams::instance() {
  static auto* const streams = new Streams;  // never destroyed, as the heap
  return *streams;
}

Streams::Streams() {
  streams_.push_back(std::make_unique<CUstream_st>());
  streams_.front()->kind = CUstream_st::Kind::kDefault;
}

cudaStream_t Streams::create(CUstream_st::Kind kind) {
  streams_.push_back(std::make_unique<CUstream_st>());
  streams_.back()->kind = kind;
  return streams_.back().get();
}

void Streams::destroy(cudaStream_t handle) {
  CUstream_st& target = stream(handle);
  const auto it = std::find_if(streams_.begin(), streams_.end(), [&](const auto& s) { return s.get() == &target; });
  if (it == streams_.begin()) return;
  Captures::instance().forget(target);
  if (!target.queue.empty()) retired_.push_back(std::move(*it));
  streams_.erase(it);
}

CUstream_st& Streams::stream(cudaStream_t handle) {
  if (handle == nullptr || handle == cudaStreamLegacy || handle == cudaStreamPerThread) return *streams_.front();
  for (const auto& s : streams_) {
    if (s.get() == handle) return *s;
  }
  throw KernelError(Fault::kLaunch, fmt::format("host executor: {} is not a stream, or was destroyed",
                                                static_cast<const void*>(handle)));
}

void Streams::add_order(CUstream_st& target, std::vector<WorkId>& after) {
  if (target.kind == CUstream_st::Kind::kBlocking) {
    after.push_back(streams_.front()->last);
  } else if (target.kind == CUstream_st::Kind::kDefault) {
    for (const auto& list : {&streams_, &retired_}) {
      for (const auto& s : *list) {
        if (s->kind == CUstream_st::Kind::kBlocking) after.push_back(s->last);
      }
    }
  }
}

WorkId Streams::enqueue(cudaStream_t handle, WorkFunction run) {
  CUstream_st& target = stream(handle);
  if (target.capture != nullptr) {
    target.capture->add(target, std::move(run));
    return 0;
  }
  Work work{next_++, std::exchange(target.awaited, {}), std::move(run)};
  add_order(target, work.after);
  const WorkId id = target.last = work.id;
  pending_.emplace(id, &target);
  target.queue.push_back(std::move(work));
  if (options().streams == StreamOrder::kImmediate) complete(id);
  return id;
}

void Streams::wait_for(cudaStream_t handle, WorkId work) {
  if (!is_done(work)) stream(handle).awaited.push_back(work);
}

bool Streams::can_run(const CUstream_st& target) const {
  if (target.queue.empty()) return false;
  const auto& after = target.queue.front().after;
  return std::all_of(after.begin(), after.end(), [&](WorkId id) { return is_done(id); });
}

void Streams::run_head(CUstream_st& target) {
  const Work work = std::move(target.queue.front());
  target.queue.pop_front();
  pending_.erase(work.id);
  try {
    work.run();
  } catch (...) {
    drop_all();
    throw;
  }
}

OrderDraws& Streams::draws() {
  if (!std::exchange(draws_seeded_, true)) draws_.seed(options().seed);
  return draws_;
}

// Dependences point to earlier work only, so there is always something that can run.
void Streams::run_some(WorkId wanted) {
  if (options().streams == StreamOrder::kShuffled) {
    std::vector<CUstream_st*> ready;
    for (const auto& list : {&streams_, &retired_}) {
      for (const auto& s : *list) {
        if (can_run(*s)) ready.push_back(s.get());
      }
    }
    run_head(*ready[draws().below(static_cast<std::uint32_t>(ready.size()))]);
    return;
  }
  // As late as possible: only what `wanted` needs, the deepest need first.
  CUstream_st* target = pending_.at(wanted);
  while (!can_run(*target)) {
    for (const WorkId id : target->queue.front().after) {
      if (is_done(id)) continue;
      target = pending_.at(id);
      break;
    }
  }
  run_head(*target);
}

void Streams::complete(WorkId work) {
  while (!is_done(work)) run_some(work);
  std::erase_if(retired_, [](const auto& s) { return s->queue.empty(); });
}

void Streams::advance(WorkId work) {
  if (!is_done(work)) run_some(work);
}

void Streams::complete_default() {
  // What a call on the legacy default stream waits for.
  std::vector<WorkId> after{streams_.front()->last};
  add_order(*streams_.front(), after);
  for (const WorkId id : after) complete(id);
}

void Streams::complete_all() {
  while (!pending_.empty()) {
    complete(std::min_element(pending_.begin(), pending_.end(), [](const auto& a, const auto& b) {
               return a.first < b.first;
             })->first);
  }
}

void Streams::drop_all() {
  for (const auto& list : {&streams_, &retired_}) {
    for (const auto& s : *list) {
      s->queue.clear();
      s->awaited.clear();
    }
  }
  pending_.clear();
}

void Streams::rethrow_kept() {
  if (kept_ != nullptr) std::rethrow_exception(std::exchange(kept_, nullptr));
}

}  // namespace innerloop::host_executor
