// Warp shuffles, votes and reductions on a CPU. As on the device, they order no memory accesses; __syncwarp does.
#pragma once

#include <bit>
#include <type_traits>

#include "kernels/cuda/host/primitive.h"

namespace innerloop::host_executor {

inline constexpr Primitive kSyncWarp{"__syncwarp", Primitive::Ordering::kMemory};
inline constexpr Primitive kShuffle{"__shfl_sync"}, kShuffleDown{"__shfl_down_sync"}, kShuffleUp{"__shfl_up_sync"},
    kShuffleXor{"__shfl_xor_sync"}, kBallot{"__ballot_sync"}, kAny{"__any_sync"}, kAll{"__all_sync"},
    kReduceAdd{"__reduce_add_sync"}, kReduceMin{"__reduce_min_sync"}, kReduceMax{"__reduce_max_sync"};

/// A lane read from a lane that did not take part: throws KernelError.
[[noreturn]] void report_absent_source(const Primitive& primitive, unsigned source, Site site);

template <class T>
IL_UNCHECKED T shuffle(unsigned mask, T value, unsigned source, const Primitive& primitive, Site site) {
  static_assert(std::is_trivially_copyable_v<T> && (sizeof(T) == 2 || sizeof(T) == 4 || sizeof(T) == 8),
                "the device shuffles values of 2, 4 or 8 bytes");
  struct Slot {
    T given, taken;
    unsigned source;
    bool absent;
  } slot{value, value, source, false};
  meet(mask, primitive, site, &slot, [](void* const* payloads, unsigned lanes) {
    for (unsigned rest = lanes; rest != 0; rest &= rest - 1) {
      Slot& mine = *static_cast<Slot*>(payloads[std::countr_zero(rest)]);
      mine.absent = (lanes >> mine.source & 1) == 0;
      if (!mine.absent) mine.taken = static_cast<const Slot*>(payloads[mine.source])->given;
    }
  });
  if (slot.absent) report_absent_source(primitive, source, site);
  return slot.taken;
}

/// The first lane of the caller's segment of `width` lanes.
inline unsigned segment(unsigned lane, int width) { return lane & ~(static_cast<unsigned>(width) - 1); }

inline unsigned ballot(unsigned mask, bool predicate, const Primitive& primitive, Site site) {
  struct Slot {
    bool given;
    unsigned result;
  } slot{predicate, 0};
  meet(mask, primitive, site, &slot, [](void* const* payloads, unsigned lanes) {
    unsigned result = 0;
    for (unsigned rest = lanes; rest != 0; rest &= rest - 1) {
      const int lane = std::countr_zero(rest);
      if (static_cast<const Slot*>(payloads[lane])->given) result |= 1u << lane;
    }
    for (unsigned rest = lanes; rest != 0; rest &= rest - 1) {
      static_cast<Slot*>(payloads[std::countr_zero(rest)])->result = result;
    }
  });
  return slot.result;
}

template <class T, class Combine>
IL_UNCHECKED T warp_reduce(unsigned mask, T value, const Primitive& primitive, Site site, Combine) {
  static_assert(std::is_same_v<T, int> || std::is_same_v<T, unsigned>, "the device reduces 32-bit integers");
  T slot = value;
  meet(mask, primitive, site, &slot, [](void* const* payloads, unsigned lanes) {
    T result = *static_cast<const T*>(payloads[std::countr_zero(lanes)]);
    for (unsigned rest = lanes & (lanes - 1); rest != 0; rest &= rest - 1) {
      result = Combine{}(result, *static_cast<const T*>(payloads[std::countr_zero(rest)]));
    }
    for (unsigned rest = lanes; rest != 0; rest &= rest - 1) *static_cast<T*>(payloads[std::countr_zero(rest)]) = result;
  });
  return slot;
}

}  // namespace innerloop::host_executor

#define IL_SITE innerloop::host_executor::Site site = innerloop::host_executor::Site::here()

inline void __syncwarp(unsigned mask = 0xffffffffu, IL_SITE) {
  innerloop::host_executor::meet(mask, innerloop::host_executor::kSyncWarp, site, nullptr, nullptr);
}

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, IL_SITE) {
  using namespace innerloop::host_executor;
  const unsigned within = static_cast<unsigned>(source) & (static_cast<unsigned>(width) - 1);
  return shuffle(mask, value, segment(lane_index(), width) + within, kShuffle, site);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, IL_SITE) {
  using namespace innerloop::host_executor;
  const unsigned lane = lane_index(), end = segment(lane, width) + static_cast<unsigned>(width);
  return shuffle(mask, value, lane + delta < end ? lane + delta : lane, kShuffleDown, site);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, IL_SITE) {
  using namespace innerloop::host_executor;
  const unsigned lane = lane_index();
  return shuffle(mask, value, lane >= segment(lane, width) + delta ? lane - delta : lane, kShuffleUp, site);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32, IL_SITE) {
  using namespace innerloop::host_executor;
  const unsigned lane = lane_index(), other = lane ^ static_cast<unsigned>(lane_mask);
  const unsigned end = segment(lane, width) + static_cast<unsigned>(width);
  return shuffle(mask, value, other < end ? other : lane, kShuffleXor, site);
}

inline unsigned __ballot_sync(unsigned mask, int predicate, IL_SITE) {
  return innerloop::host_executor::ballot(mask, predicate != 0, innerloop::host_executor::kBallot, site);
}
inline int __any_sync(unsigned mask, int predicate, IL_SITE) {
  return innerloop::host_executor::ballot(mask, predicate != 0, innerloop::host_executor::kAny, site) != 0 ? 1 : 0;
}
inline int __all_sync(unsigned mask, int predicate, IL_SITE) {
  return innerloop::host_executor::ballot(mask, predicate == 0, innerloop::host_executor::kAll, site) == 0 ? 1 : 0;
}

template <class T>
T __reduce_add_sync(unsigned mask, T value, IL_SITE) {
  using namespace innerloop::host_executor;
  // Wraps as the device does.
  return warp_reduce(mask, value, kReduceAdd, site,
                     [](T a, T b) { return static_cast<T>(static_cast<unsigned>(a) + static_cast<unsigned>(b)); });
}
template <class T>
T __reduce_min_sync(unsigned mask, T value, IL_SITE) {
  using namespace innerloop::host_executor;
  return warp_reduce(mask, value, kReduceMin, site, [](T a, T b) { return b < a ? b : a; });
}
template <class T>
T __reduce_max_sync(unsigned mask, T value, IL_SITE) {
  using namespace innerloop::host_executor;
  return warp_reduce(mask, value, kReduceMax, site, [](T a, T b) { return a < b ? b : a; });
}

#undef IL_SITE
