// The call-backs that g++ -fsanitize=thread puts before each memory access of a kernel source. Linked in place of that
// sanitizer's runtime, they hand the access to the checker.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>

#include "kernels/cuda/host/checker.h"
#include "kernels/cuda/host/execution.h"
#include "kernels/cuda/host/monitor.h"

namespace innerloop::host_executor {
namespace {

// Exceptions must not pass through the instrumented frames, since the compiler takes these calls for nothrow: a fault leaves
// the kernel without unwinding. And no exception may be in flight while fibers switch, hence out of the catch clause first.
inline void on_access(const void* memory, std::size_t bytes, Access kind, const void* return_address) {
  if (!launching_here) return;  // host code in a kernel source, or another operating-system thread
  Execution& execution = Execution::instance();
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  if (!execution.in_kernel_code() || execution.on_own_stack(address)) return;
  std::exception_ptr error;
  {
    const RuntimeScope scope;
    try {
      const auto instruction = reinterpret_cast<std::uintptr_t>(return_address);
      monitor->access(address, bytes, kind, instruction);
      monitor->count(address, bytes, kind, instruction);
    } catch (...) {
      error = std::current_exception();
    }
  }
  if (error) execution.abandon(std::move(error));
}

}  // namespace
}  // namespace innerloop::host_executor

using innerloop::host_executor::Access;
using innerloop::host_executor::on_access;

#define IL_ACCESS(name, bytes, kind) \
  void __tsan_##name(void* memory) { on_access(memory, bytes, Access::kind, __builtin_return_address(0)); }
#define IL_ACCESSES(bytes)                          \
  IL_ACCESS(read##bytes, bytes, kRead)              \
  IL_ACCESS(write##bytes, bytes, kWrite)            \
  IL_ACCESS(unaligned_read##bytes, bytes, kRead)    \
  IL_ACCESS(unaligned_write##bytes, bytes, kWrite)  \
  IL_ACCESS(volatile_read##bytes, bytes, kRead)     \
  IL_ACCESS(volatile_write##bytes, bytes, kWrite)

// Atomic operations of host code in kernel sources (reference counts, guards of static variables): plain host atomics.
#define IL_ATOMICS(bits, type)                                                                                             \
  type __tsan_atomic##bits##_load(const volatile type* p, int) { return __atomic_load_n(p, __ATOMIC_SEQ_CST); }            \
  void __tsan_atomic##bits##_store(volatile type* p, type v, int) { __atomic_store_n(p, v, __ATOMIC_SEQ_CST); }            \
  type __tsan_atomic##bits##_exchange(volatile type* p, type v, int) { return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST); } \
  type __tsan_atomic##bits##_fetch_add(volatile type* p, type v, int) { return __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST); } \
  type __tsan_atomic##bits##_fetch_sub(volatile type* p, type v, int) { return __atomic_fetch_sub(p, v, __ATOMIC_SEQ_CST); } \
  type __tsan_atomic##bits##_fetch_and(volatile type* p, type v, int) { return __atomic_fetch_and(p, v, __ATOMIC_SEQ_CST); } \
  type __tsan_atomic##bits##_fetch_or(volatile type* p, type v, int) { return __atomic_fetch_or(p, v, __ATOMIC_SEQ_CST); }   \
  type __tsan_atomic##bits##_fetch_xor(volatile type* p, type v, int) { return __atomic_fetch_xor(p, v, __ATOMIC_SEQ_CST); } \
  int __tsan_atomic##bits##_compare_exchange_strong(volatile type* p, type* expected, type v, int, int) {                  \
    return __atomic_compare_exchange_n(p, expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) ? 1 : 0;                  \
  }                                                                                                                        \
  int __tsan_atomic##bits##_compare_exchange_weak(volatile type* p, type* expected, type v, int, int) {                    \
    return __atomic_compare_exchange_n(p, expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) ? 1 : 0;                  \
  }

extern "C" {

IL_ACCESSES(1)
IL_ACCESSES(2)
IL_ACCESSES(4)
IL_ACCESSES(8)
IL_ACCESSES(16)

void __tsan_read_range(void* memory, std::size_t bytes) {
  on_access(memory, bytes, Access::kRead, __builtin_return_address(0));
}
void __tsan_write_range(void* memory, std::size_t bytes) {
  on_access(memory, bytes, Access::kWrite, __builtin_return_address(0));
}

void __tsan_init() { innerloop::host_executor::install_checker(); }
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}

IL_ATOMICS(8, std::uint8_t)
IL_ATOMICS(16, std::uint16_t)
IL_ATOMICS(32, std::uint32_t)
IL_ATOMICS(64, std::uint64_t)

void __tsan_atomic_thread_fence(int) { std::atomic_thread_fence(std::memory_order_seq_cst); }
void __tsan_atomic_signal_fence(int) {}

}  // extern "C"
