#include "kernels/cuda/host/scheduler.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace innerloop::host_executor {

void Scheduler::begin_launch(unsigned thread_count, ThreadOrder order, std::uint64_t seed) {
  count_ = thread_count;
  order_ = order;
  draws_.seed(seed);
  for (unsigned i = 0; i < count_; ++i) {
    start_order_[i] = static_cast<std::uint16_t>(order == ThreadOrder::kReverse ? count_ - 1 - i : i);
  }
}

void Scheduler::begin_block() {
  started_ = ring_head_ = ring_size_ = 0;
  if (order_ == ThreadOrder::kRandom) {
    for (unsigned i = count_; i > 1; --i) std::swap(start_order_[i - 1], start_order_[draws_.below(i)]);
  } else if (order_ == ThreadOrder::kEager) {
    rank_warps();
  }
}

void Scheduler::rank_warps() {
  const unsigned warps = (count_ + kWarpLanes - 1) / kWarpLanes;
  std::array<unsigned, kMaxWarps> warp_order{};
  for (unsigned w = 0; w < warps; ++w) warp_order[w] = w;
  for (unsigned i = warps; i > 1; --i) std::swap(warp_order[i - 1], warp_order[draws_.below(i)]);
  const bool backwards = draws_.coin();
  runnable_.fill(0);
  unsigned rank = 0;
  for (unsigned w = 0; w < warps; ++w) {
    const unsigned first = warp_order[w] * kWarpLanes;
    const unsigned lanes = std::min(kWarpLanes, count_ - first);
    for (unsigned l = 0; l < lanes; ++l, ++rank) {
      const unsigned thread = first + (backwards ? lanes - 1 - l : l);
      rank_of_[thread] = static_cast<std::uint16_t>(rank);
      thread_at_[rank] = static_cast<std::uint16_t>(thread);
      runnable_[rank / 64] |= std::uint64_t{1} << (rank % 64);
    }
  }
}

void Scheduler::make_ready(unsigned thread) {
  if (order_ == ThreadOrder::kEager) {
    const unsigned rank = rank_of_[thread];
    runnable_[rank / 64] |= std::uint64_t{1} << (rank % 64);
    return;
  }
  ring_[(ring_head_ + ring_size_++) % kMaxBlockThreads] = static_cast<std::uint16_t>(thread);
}

unsigned Scheduler::pop_ready() {
  const unsigned thread = ring_[ring_head_];
  ring_head_ = (ring_head_ + 1) % kMaxBlockThreads;
  --ring_size_;
  return thread;
}

int Scheduler::next_by_rank() {
  for (unsigned word = 0; word < (count_ + 63) / 64; ++word) {
    if (runnable_[word] == 0) continue;
    const unsigned rank = word * 64 + static_cast<unsigned>(std::countr_zero(runnable_[word]));
    runnable_[word] &= runnable_[word] - 1;
    return thread_at_[rank];
  }
  return kNone;
}

int Scheduler::next() {
  if (order_ == ThreadOrder::kEager) return next_by_rank();
  const unsigned unstarted = count_ - started_;
  if (order_ == ThreadOrder::kRandom) {
    if (ring_size_ + unstarted == 0) return kNone;
    const unsigned drawn = draws_.below(ring_size_ + unstarted);
    if (drawn >= ring_size_) return static_cast<int>(start_one());
    std::swap(ring_[ring_head_], ring_[(ring_head_ + drawn) % kMaxBlockThreads]);
    return static_cast<int>(pop_ready());
  }
  if (ring_size_ > 0) return static_cast<int>(pop_ready());
  if (unstarted > 0) return static_cast<int>(start_one());
  return kNone;
}

}  // namespace innerloop::host_executor
