#include "kernels/cuda/host/execution.h"

#include <algorithm>

#include "kernels/cuda/host/device_heap.h"
#include "kernels/cuda/host/launch_counts.h"
#include "kernels/cuda/host/monitor.h"
#include "kernels/cuda/host/options.h"

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace innerloop::host_executor {

void Execution::validate(const LaunchRequest& request) {
  const auto refuse = [&](const std::string& why) {
    throw KernelError(Fault::kLaunch,
                      fmt::format("host executor: launch of {}: {}", function_name(request.kernel), why));
  };
  const dim3 grid = request.grid, block = request.block;
  const std::uint64_t threads = std::uint64_t{block.x} * block.y * block.z;
  if (threads == 0 || threads > kMaxBlockThreads || block.x > 1024 || block.y > 1024 || block.z > 64) {
    refuse(fmt::format("block ({},{},{}) has {} threads; use 1 to {}, at most 64 in z", block.x, block.y, block.z, threads,
                       kMaxBlockThreads));
  }
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535) {
    refuse(fmt::format("grid ({},{},{}): use 1 to 2147483647 blocks in x, 1 to 65535 in y and z", grid.x, grid.y, grid.z));
  }
  if (std::uint64_t{grid.x} * grid.y * grid.z > 0xffffffffu) refuse("more than 2^32 blocks take too long on a CPU");
  const std::size_t most = request.asks_for_shared ? kMaxDynamicShared : kMaxUnaskedShared;
  if (request.dynamic_shared_bytes > most) {
    refuse(fmt::format("{} bytes of dynamic shared memory; a block has {}", request.dynamic_shared_bytes, most));
  }
}

void Execution::prepare(const LaunchRequest& request) {
  request_ = &request;
  const dim3 block = request.block;
  thread_count_ = block.x * block.y * block.z;
  warp_count_ = (thread_count_ + kWarpLanes - 1) / kWarpLanes;
  gridDim = request.grid;
  blockDim = block;
  unsigned i = 0;
  for (unsigned z = 0; z < block.z; ++z) {
    for (unsigned y = 0; y < block.y; ++y) {
      for (unsigned x = 0; x < block.x; ++x) threads_[i++].index = {x, y, z};
    }
  }
  for (unsigned w = 0; w < warp_count_; ++w) {
    const unsigned lanes = std::min(kWarpLanes, thread_count_ - w * kWarpLanes);
    warps_[w].exists = lanes == kWarpLanes ? ~0u : (1u << lanes) - 1;
  }
  const ThreadOrder order = options().order;
  scheduler_.begin_launch(thread_count_, order, options().seed);
  next_block_ = 0;
  block_count_ = std::uint64_t{request.grid.x} * request.grid.y * request.grid.z;
  block_order_.clear();
  if (order != ThreadOrder::kForward) {
    block_order_.resize(block_count_);
    for (std::uint64_t b = 0; b < block_count_; ++b) block_order_[b] = static_cast<std::uint32_t>(b);
    if (order == ThreadOrder::kReverse) {
      std::reverse(block_order_.begin(), block_order_.end());
    } else {
      for (std::uint64_t b = block_count_; b > 1; --b) {
        std::swap(block_order_[b - 1], block_order_[draws().below(static_cast<std::uint32_t>(b))]);
      }
    }
  }
  shared_.begin_launch(request.dynamic_shared_bytes, request.asks_for_shared);
  launching_.adopt_current_thread();
  running_fiber_ = &launching_;
  ++statistics_.launches;
}

void Execution::run(const LaunchRequest& request) {
  IL_CHECK(!launching_here, "host executor: a kernel launched {}; launches come from the host only",
           function_name(request.kernel));
  count_launch(request.kernel);
  if (options().kernels == KernelWork::kSkip) return;
  prepare(request);
  {
    const DeviceHeap::AccessScope access;
    Fiber& fiber = take_fiber();
    launching_here = true;
    if (monitor != nullptr) monitor->launch_begins(request.kernel);
    begin_block();
    const int first = scheduler_.next();
    start_on(fiber, static_cast<unsigned>(first));
    switch_between(launching_, fiber);
    launching_here = false;
  }
  finish_launch();
}

void Execution::finish_launch() {
  current_ = kNobody;
  in_runtime_ = true;
  if (monitor != nullptr) monitor->launch_ended();
  if (error_ == nullptr) {
    try {
      DeviceHeap::instance().check_redzones();
    } catch (...) {
      error_ = std::current_exception();
    }
  } else {
    // Threads are left half-way: their fibers start anew, objects on their stacks are not destroyed.
    free_fibers_ = nullptr;
    for (const auto& fiber : fibers_) {
      fiber->reset();
      fiber->next_free = std::exchange(free_fibers_, fiber.get());
    }
    DeviceHeap::instance().repair_redzones();
  }
  request_ = nullptr;
  if (error_ != nullptr) std::rethrow_exception(std::exchange(error_, nullptr));
}

bool Execution::begin_block() {
  if (next_block_ == block_count_) return false;
  const std::uint64_t b = block_order_.empty() ? next_block_ : block_order_[next_block_];
  ++next_block_;
  ++statistics_.blocks;
  blockIdx = {static_cast<unsigned>(b % gridDim.x), static_cast<unsigned>(b / gridDim.x % gridDim.y),
              static_cast<unsigned>(b / gridDim.x / gridDim.y)};
  for (unsigned i = 0; i < thread_count_; ++i) {
    threads_[i].state = Thread::State::kUnstarted;
    threads_[i].in_turn = !request_->overlaps;
  }
  for (unsigned w = 0; w < warp_count_; ++w) warps_[w].exited = warps_[w].group_count = 0;
  finished_ = at_barrier_ = 0;
  barrier_count_ = 0;
  scheduler_.begin_block();
  shared_.begin_block();
  if (monitor != nullptr) monitor->block_begins();
  return true;
}

void Execution::enter(unsigned thread) {
  threads_[thread].state = Thread::State::kRunning;
  current_ = thread;
  threadIdx = threads_[thread].index;
}

void Execution::start_on(Fiber& fiber, unsigned thread) {
  threads_[thread].fiber = &fiber;
  enter(thread);
}

void Execution::switch_between(Fiber& from, Fiber& to) {
  ++statistics_.switches;
  running_fiber_ = &to;
  Fiber::switch_between(from, to);
}

void Execution::resume(Fiber& from, unsigned thread) {
  if (threads_[thread].state == Thread::State::kUnstarted) {
    start_on(take_fiber(), thread);
  } else {
    enter(thread);
  }
  switch_between(from, *threads_[thread].fiber);
}

void Execution::block() {
  const unsigned self = current_;
  const int next = scheduler_.next();
  if (next == Scheduler::kNone) report_deadlock();
  if (static_cast<unsigned>(next) == self) {
    threads_[self].state = Thread::State::kRunning;
    return;
  }
  resume(*threads_[self].fiber, static_cast<unsigned>(next));
}

void Execution::give_way() {
  threads_[current_].state = Thread::State::kReady;
  scheduler_.make_ready(current_);
  block();
}

Fiber& Execution::take_fiber() {
  if (free_fibers_ == nullptr) {
    const auto entry = [] {
      Fiber::arrived();
      instance().fiber_main();
    };
    fibers_.push_back(std::make_unique<Fiber>(entry, static_cast<unsigned>(fibers_.size())));
    return *fibers_.back();
  }
  return *std::exchange(free_fibers_, free_fibers_->next_free);
}

int Execution::finish_thread() {
  ++statistics_.threads;
  const unsigned self = current_;
  if (!threads_[self].in_turn) {
    report(Fault::kGridDependency, "left the kernel without grid_dependency_sync(): the kernel behind it could start before "
                                   "those ahead of it have ended");
  }
  threads_[self].state = Thread::State::kFinished;
  ++finished_;
  Warp& warp = warps_[self / kWarpLanes];
  warp.exited |= 1u << lane();
  const bool strict = options().strictness == Strictness::kStrict;
  for (unsigned g = 0; g < warp.group_count;) {
    const LaneGroup& group = warp.groups[g];
    if ((group.mask >> lane() & 1) == 0) {
      ++g;
      continue;
    }
    if (strict) {
      report(Fault::kWarpDivergence,
             fmt::format("lane {} left the kernel while lanes {:#010x} wait for it at {}(mask {:#010x}) {}", lane(),
                         group.arrived, group.primitive->name, group.mask, describe(group.site)));
    }
    if (!complete_group(self / kWarpLanes, g, kWarpLanes)) ++g;  // completing one moves another to its place
  }
  if (at_barrier_ > 0) {
    if (strict) {
      report(Fault::kBarrierDivergence, fmt::format("barrier divergence: left the kernel while thread {} waits at "
                                                    "__syncthreads() {}",
                                                    barrier_first_, describe(barrier_site_)));
    }
    if (at_barrier_ + finished_ == thread_count_) release_barrier();
  }
  int next = scheduler_.next();
  if (next == Scheduler::kNone) {
    if (finished_ != thread_count_) report_deadlock();
    current_ = kNobody;
    if (monitor != nullptr) monitor->block_ended();
    shared_.end_block();
    if (begin_block()) next = scheduler_.next();
  }
  return next;
}

void Execution::fiber_main() {
  Fiber& self = *running_fiber_;
  for (;;) {
    int next = Scheduler::kNone;
    try {
      in_runtime_ = false;
      request_->call(request_->arguments.get());
      in_runtime_ = true;
      next = finish_thread();
    } catch (...) {
      in_runtime_ = true;
      next = Scheduler::kNone;
      error_ = std::current_exception();
    }
    if (next != Scheduler::kNone && threads_[next].state == Thread::State::kUnstarted) {
      start_on(self, static_cast<unsigned>(next));  // nobody waits: a plain loop over the threads
      continue;
    }
    self.next_free = std::exchange(free_fibers_, &self);
    if (next == Scheduler::kNone) {
      switch_between(self, launching_);
    } else {
      resume(self, static_cast<unsigned>(next));
    }
  }
}

void Execution::abandon(std::exception_ptr error) {
  error_ = std::move(error);
  in_runtime_ = true;
  switch_between(*running_fiber_, launching_);
  __builtin_unreachable();
}

}  // namespace innerloop::host_executor
