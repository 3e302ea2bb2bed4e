// Barriers and warp primitives: who waits for whom, and what counts as divergence.
#include <algorithm>
#include <array>

#include "kernels/cuda/host/execution.h"
#include "kernels/cuda/host/language.h"
#include "kernels/cuda/host/options.h"
#include "kernels/cuda/host/warp.h"

namespace innerloop::host_executor {
namespace {

bool strict() { return options().strictness == Strictness::kStrict; }

}  // namespace

int Execution::barrier(int predicate, Site site) {
  const RuntimeScope scope;
  Thread& self = threads_[current_];
  if (strict() && finished_ > 0) {
    unsigned gone = 0;
    while (threads_[gone].state != Thread::State::kFinished) ++gone;
    report(Fault::kBarrierDivergence, fmt::format("barrier divergence: waits at __syncthreads() {} but thread {} has already "
                                                  "left the kernel",
                                                  describe(site), gone));
  }
  if (at_barrier_ == 0) {
    barrier_site_ = site;
    barrier_first_ = current_;
  } else if (strict() && !(site == barrier_site_)) {
    report(Fault::kBarrierDivergence,
           fmt::format("barrier divergence: waits at __syncthreads() {} while thread {} waits at __syncthreads() {}",
                       describe(site), barrier_first_, describe(barrier_site_)));
  }
  self.state = Thread::State::kAtBarrier;
  self.site = site;
  barrier_count_ += predicate != 0 ? 1 : 0;
  if (++at_barrier_ + finished_ == thread_count_) release_barrier();
  block();
  return barrier_result_;
}

void Execution::release_barrier() {
  at_barrier_ = 0;
  barrier_result_ = std::exchange(barrier_count_, 0);
  if (monitor != nullptr) monitor->barrier_passed();
  const bool reversed = scheduler_.order() == ThreadOrder::kReverse;
  for (unsigned i = 0; i < thread_count_; ++i) {
    const unsigned t = reversed ? thread_count_ - 1 - i : i;
    if (threads_[t].state != Thread::State::kAtBarrier) continue;
    threads_[t].state = Thread::State::kReady;
    scheduler_.make_ready(t);
  }
}

unsigned Execution::meet(unsigned mask, const Primitive& primitive, Site site, void* payload, Complete complete) {
  const RuntimeScope scope;
  Thread& self = threads_[current_];
  const unsigned me = lane(), warp_index = current_ / kWarpLanes;
  Warp& warp = warps_[warp_index];
  const auto call = [&] { return fmt::format("{}(mask {:#010x}) at {}", primitive.name, mask, describe(site)); };
  if ((mask >> me & 1) == 0) {
    report(Fault::kWarpDivergence, fmt::format("{} called by lane {}, which is not in the mask", call(), me));
  }
  if (const unsigned absent = mask & ~warp.live(); absent != 0 && strict()) {
    report(Fault::kWarpDivergence, fmt::format("{} names lanes {:#010x}, which have left the kernel or do not exist", call(),
                                               absent));
  }
  unsigned g = 0;
  while (g < warp.group_count && warp.groups[g].mask != mask) ++g;
  LaneGroup& group = warp.groups[g];
  if (g == warp.group_count) {
    // Two groups that each wait for a lane of the other never complete; saying so here beats a deadlock later.
    for (unsigned other = 0; other < warp.group_count; ++other) {
      const LaneGroup& waiting = warp.groups[other];
      if ((waiting.mask >> me & 1) == 0 || (waiting.arrived & mask) == 0) continue;
      report(Fault::kWarpDivergence,
             fmt::format("warp divergence: lane {} calls {} while lanes {:#010x} wait for it at {}(mask {:#010x}) {}", me,
                         call(), waiting.arrived, waiting.primitive->name, waiting.mask, describe(waiting.site)));
    }
    group = LaneGroup{mask, 0, &primitive, complete, site};
    ++warp.group_count;
  } else if (strict() && (group.primitive != &primitive || !(group.site == site))) {
    report(Fault::kWarpDivergence,
           fmt::format("warp divergence: lane {} calls {} while lanes {:#010x} wait at {} {}", me, call(), group.arrived,
                       group.primitive->name, describe(group.site)));
  }
  group.arrived |= 1u << me;
  warp.payloads[me] = payload;
  self.state = Thread::State::kAtWarp;
  self.site = site;
  self.primitive = &primitive;
  self.mask = mask;
  const unsigned lanes = mask & warp.live();
  // In forward order the last lane goes on at once, which saves a switch; the other orders decide anew.
  const bool forward = scheduler_.order() == ThreadOrder::kForward;
  if (complete_group(warp_index, g, forward ? me : kWarpLanes) && forward) {
    self.state = Thread::State::kRunning;
  } else {
    block();
  }
  return lanes;
}

bool Execution::complete_group(unsigned warp_index, unsigned g, unsigned running_lane) {
  Warp& warp = warps_[warp_index];
  const LaneGroup group = warp.groups[g];
  const unsigned lanes = group.mask & warp.live();
  if (group.arrived != lanes) return false;
  if (group.complete != nullptr) group.complete(warp.payloads.data(), lanes);
  if (monitor != nullptr && group.primitive->ordering == Primitive::Ordering::kMemory) {
    monitor->warp_synchronised(warp_index, lanes);
  }
  warp.groups[g] = warp.groups[--warp.group_count];
  const bool reversed = scheduler_.order() == ThreadOrder::kReverse;
  for (unsigned i = 0; i < kWarpLanes; ++i) {
    const unsigned l = reversed ? kWarpLanes - 1 - i : i;
    if ((lanes >> l & 1) == 0 || l == running_lane) continue;
    threads_[warp_index * kWarpLanes + l].state = Thread::State::kReady;
    scheduler_.make_ready(warp_index * kWarpLanes + l);
  }
  return true;
}

// Kernel-facing names. Not part of Execution, so that device headers need not see it.

unsigned meet(unsigned mask, const Primitive& primitive, Site site, void* payload, Complete complete) {
  return Execution::instance().meet(mask, primitive, site, payload, complete);
}

void await_grid() { Execution::instance().await_grid(); }
int block_barrier(int predicate, Site site) { return Execution::instance().barrier(predicate, site); }

unsigned lane_index() { return Execution::instance().lane(); }

unsigned thread_index() { return Execution::instance().current(); }

std::uint64_t block_serial() { return Execution::instance().shared().block(); }

void memory_fence() {
  const RuntimeScope scope;
  if (monitor != nullptr) monitor->fence();
}

void* shared_variable(SharedVariable& variable) {
  const RuntimeScope scope;
  return Execution::instance().shared().get(variable);
}

void* dynamic_shared() {
  const RuntimeScope scope;
  return Execution::instance().shared().dynamic();
}

void report_misaligned(const void* memory, std::size_t alignment, const char* what, Site site) {
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  const RuntimeScope scope;
  report(Fault::kMisaligned, fmt::format("misaligned: {} of {} bytes at {} has an address {} bytes past a multiple of {}", what,
                                         alignment, describe(site), address % alignment, alignment));
}

void sleep_for_another(Site site) {
  const RuntimeScope scope;
  report(Fault::kNoProgress, fmt::format("__nanosleep at {}: the block waits for one that starts after it", describe(site)));
}

void trap(Site site) {
  const RuntimeScope scope;
  report(Fault::kTrap, fmt::format("__trap() at {}", describe(site)));
}

void report_absent_source(const Primitive& primitive, unsigned source, Site site) {
  const RuntimeScope scope;
  report(Fault::kWarpDivergence,
         fmt::format("{} at {}: lane {} reads lane {}, which does not take part: the value is undefined", primitive.name,
                     describe(site), lane_index(), source));
}

std::size_t dynamic_shared_size() { return Execution::instance().shared().dynamic_bytes(); }

void observe_by_monitor(const void* memory, std::size_t bytes, Access kind, const void* return_address, Observe what) {
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  if (Execution::instance().on_own_stack(address)) return;
  const RuntimeScope scope;
  const auto instruction = reinterpret_cast<std::uintptr_t>(return_address);
  if (what == Observe::kCheck) {
    monitor->access(address, bytes, kind, instruction);
  } else {
    monitor->count(address, bytes, kind, instruction);
  }
}

}  // namespace innerloop::host_executor
