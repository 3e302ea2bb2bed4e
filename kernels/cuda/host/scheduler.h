// Scheduler: which thread of a block runs next, in the four orders of options.h.
#pragma once

#include <array>
#include <cstdint>

#include "kernels/cuda/host/options.h"

namespace innerloop::host_executor {

inline constexpr unsigned kMaxBlockThreads = 1024;
inline constexpr unsigned kWarpLanes = 32;
inline constexpr unsigned kMaxWarps = kMaxBlockThreads / kWarpLanes;

/// xorshift64*: repeatable draws for orders; nothing statistical depends on it.
class OrderDraws {
 public:
  void seed(std::uint64_t value) { state_ = value * 0x9E3779B97F4A7C15ull ^ 0xD1B54A32D192ED03ull; state_ |= 1; }
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>((next() * std::uint64_t{bound}) >> 32); }
  bool coin() { return (next() & 1) != 0; }

 private:
  std::uint64_t next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return (state_ * 0x2545F4914F6CDD1Dull) >> 32;
  }
  std::uint64_t state_ = 1;
};

/// Threads are numbers from 0 to count - 1. A thread is unstarted, ready, or none of the scheduler's business.
class Scheduler {
 public:
  static constexpr int kNone = -1;

  void begin_launch(unsigned thread_count, ThreadOrder order, std::uint64_t seed);
  /// Every thread is unstarted again.
  void begin_block();
  void make_ready(unsigned thread);
  /// Takes the thread to run next, kNone when none can.
  int next();
  OrderDraws& draws() { return draws_; }
  ThreadOrder order() const { return order_; }

 private:
  void rank_warps();
  int next_by_rank();
  unsigned start_one() { return start_order_[started_++]; }
  unsigned pop_ready();

  unsigned count_ = 0;
  ThreadOrder order_ = ThreadOrder::kForward;
  OrderDraws draws_;
  std::array<std::uint16_t, kMaxBlockThreads> start_order_{};
  unsigned started_ = 0;
  // A ring: a thread is in it at most once, so it cannot overflow.
  std::array<std::uint16_t, kMaxBlockThreads> ring_{};
  unsigned ring_head_ = 0, ring_size_ = 0;
  // kEager: a bit for each rank that can run; the lowest rank goes first.
  std::array<std::uint64_t, kMaxBlockThreads / 64> runnable_{};
  std::array<std::uint16_t, kMaxBlockThreads> rank_of_{}, thread_at_{};
};

}  // namespace innerloop::host_executor
