// What kernels call at the bottom of every barrier, warp primitive, atomic and vector access. Declarations only: this is all
// that kernel sources see of the executor.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/host/diagnostics.h"
#include "kernels/cuda/host/monitor.h"

/// On functions that stand for one instruction of the device: their own memory accesses are not the kernel's. Not inlined,
/// since the compiler instruments after inlining.
#define IL_DEVICE_PRIMITIVE __attribute__((noinline, no_sanitize("thread")))
/// And on those whose memory is the executor's own alone, which no sanitizer need look at.
#define IL_UNCHECKED __attribute__((no_sanitize("thread,address,undefined")))

namespace innerloop::host_executor {

struct SharedVariable;

/// A warp primitive: identity, name for reports, and whether it orders the memory accesses of its lanes.
struct Primitive {
  enum class Ordering { kNone, kMemory };
  const char* name;
  Ordering ordering = Ordering::kNone;
};

/// Computes all lanes' results: payloads[lane] is what lane passed, for each lane in `lanes`.
using Complete = void (*)(void* const* payloads, unsigned lanes);

/// The calling lane waits until every live lane of `mask` has called with the same primitive; the last one runs `complete`.
/// Returns the lanes that met. Throws KernelError: caller not in mask, mask names absent lanes, lanes meet at different
/// places, a lane leaves the kernel while named, deadlock.
unsigned meet(unsigned mask, const Primitive& primitive, Site site, void* payload, Complete complete);

/// __syncthreads of the whole block; returns for how many threads `predicate` was not zero.
int block_barrier(int predicate, Site site);

/// The running thread waits for the kernels ahead of its own.
void await_grid();

unsigned lane_index();
unsigned thread_index();  ///< linear, in the block
std::uint64_t block_serial();
void memory_fence();
void* shared_variable(SharedVariable& variable);
void* dynamic_shared();
std::size_t dynamic_shared_size();

enum class Observe { kCheck, kCount };
void observe_by_monitor(const void* memory, std::size_t bytes, Access kind, const void* return_address, Observe what);
/// Only counts (kCount) or only checks (kCheck) one access of the running thread; `return_address` names the instruction. Inlined,
/// since most executors have no monitor and nothing is called as often.
[[gnu::always_inline]] inline void observe(const void* memory, std::size_t bytes, Access kind, const void* return_address,
                                           Observe what) {
  if (monitor != nullptr) observe_by_monitor(memory, bytes, kind, return_address, what);
}
/// Checks, counts and (checked executor) records it.
[[gnu::always_inline]] inline void observe(const void* memory, std::size_t bytes, Access kind, const void* return_address) {
  observe(memory, bytes, kind, return_address, Observe::kCheck);
  observe(memory, bytes, kind, return_address, Observe::kCount);
}

}  // namespace innerloop::host_executor
