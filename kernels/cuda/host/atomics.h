// Atomics on a CPU: a plain read-modify-write, since a launch runs on one operating-system thread and no switch comes between.
#pragma once

#include <type_traits>

#include "kernels/cuda/host/primitive.h"

#define IL_ATOMIC(name, result)                                                                               \
  template <class T>                                                                                          \
  IL_DEVICE_PRIMITIVE T name(T* memory, std::type_identity_t<T> value) {                                      \
    using innerloop::host_executor::Access;                                                                   \
    innerloop::host_executor::observe(memory, sizeof(T), Access::kAtomic, __builtin_return_address(0));       \
    const T old = *memory;                                                                                    \
    *memory = static_cast<T>(result);                                                                         \
    return old;                                                                                               \
  }

IL_ATOMIC(atomicAdd, old + value)
IL_ATOMIC(atomicSub, old - value)
IL_ATOMIC(atomicExch, value)
IL_ATOMIC(atomicMin, value < old ? value : old)
IL_ATOMIC(atomicMax, old < value ? value : old)
IL_ATOMIC(atomicAnd, old & value)
IL_ATOMIC(atomicOr, old | value)
IL_ATOMIC(atomicXor, old ^ value)
IL_ATOMIC(atomicInc, old >= value ? T(0) : old + T(1))
IL_ATOMIC(atomicDec, old == T(0) || old > value ? value : old - T(1))

#undef IL_ATOMIC

template <class T>
IL_DEVICE_PRIMITIVE T atomicCAS(T* memory, std::type_identity_t<T> expected, std::type_identity_t<T> desired) {
  using innerloop::host_executor::Access;
  innerloop::host_executor::observe(memory, sizeof(T), Access::kAtomic, __builtin_return_address(0));
  const T old = *memory;
  if (old == expected) *memory = desired;
  return old;
}

namespace innerloop::kernels::cuda {

IL_DEVICE_PRIMITIVE inline unsigned load_relaxed(const unsigned* counter) {
  host_executor::observe(counter, sizeof(unsigned), host_executor::Access::kAtomic, __builtin_return_address(0));
  return *counter;
}

}  // namespace innerloop::kernels::cuda
