// Stores that go past the caches, for maps that are read again only when they have long left them.
//
// A plain store of a line that is in no cache reads it first, and later writes it back over something that might have stayed. A
// streamed line is written once and is nowhere else. Only whole lines, so only where a vector is one.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/simd.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

enum class Stores : std::uint8_t { kCached, kPast };

inline constexpr std::int64_t kCacheLine = 64;
template <class T>
inline constexpr bool kVectorIsALine = Vec<T>::kLanes * sizeof(T) == kCacheLine;

/// How `elements` of a task's map at `map` should be written: past the caches where they are twice a second-level cache or more,
/// and all vectors of its `channels` are whole lines.
template <class T>
IL_INLINE Stores stores_for(const T* map, std::int64_t channels, std::int64_t elements) {
  constexpr std::int64_t kBytes = 4 << 20;
  if constexpr (kVectorIsALine<T>) {
    const bool lines = reinterpret_cast<std::uintptr_t>(map) % kCacheLine == 0 && channels % Vec<T>::kLanes == 0;
    if (lines && elements * static_cast<std::int64_t>(sizeof(T)) >= kBytes) return Stores::kPast;
  }
  return Stores::kCached;
}

/// p[0, kLanes) = v; p begins a line.
template <class T>
IL_INLINE void store_past(T* p, Vec<T> v) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    _mm512_stream_ps(p, v.v);
  } else {
    _mm512_stream_pd(p, v.v);
  }
#else
  v.store(p);
#endif
}

/// After the last such store of a piece of work: other threads may see it.
IL_INLINE void finish_stores(Stores stores) {
#if defined(__AVX512F__)
  if (stores == Stores::kPast) _mm_sfence();
#else
  static_cast<void>(stores);
#endif
}

/// As a compile-time argument: f(tag), tag::value is `stores`.
template <Stores kStores>
struct StoresTag {
  static constexpr Stores value = kStores;
};
template <class F>
IL_INLINE void with_stores(Stores stores, const F& f) {
  stores == Stores::kPast ? f(StoresTag<Stores::kPast>{}) : f(StoresTag<Stores::kCached>{});
}

/// By a lane policy that has both.
template <Stores kStores, class Lanes, class T>
IL_INLINE void put(const Lanes& lanes, T* p, typename Lanes::Vector v) {
  if constexpr (kStores == Stores::kPast) {
    lanes.stream(p, v);
  } else {
    lanes.store(p, v);
  }
}

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
