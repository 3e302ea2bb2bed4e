// Where the kernel tests run: on the device, when the program was linked with an engine for one, else on every CPU target of
// the machine. Their arrays live in memory that both can address.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tensor/context.h"
#include "tensor/cpu_targets.h"
#include "tensor/error.h"

namespace innerloop::kernels::harness {

inline std::vector<Target> targets() {
  if (has_device_engine()) return {Target::kCuda};
  return cpu_targets();
}

/// The target that tests use which need only one.
inline Target one_target() { return has_device_engine() ? Target::kCuda : cpu_target(); }

/// Whether a CPU executes the device's kernels thread by thread. What only makes them run longer on the same paths is left out there.
inline bool is_executed() {
  return has_device_engine() && default_device()->name().find("host executor") != std::string::npos;
}

/// What was launched is done when it returns.
inline void wait_for_device() {
  if (has_device_engine()) default_device()->synchronize();
}

/// std::allocator, or the device's memory, which the tests ask to be one that the host can address.
template <class T>
struct Allocator {
  using value_type = T;
  Allocator() = default;
  template <class U>
  Allocator(const Allocator<U>&) {}  // NOLINT: as the standard's
  T* allocate(std::size_t n) {
    if (!has_device_engine()) return std::allocator<T>().allocate(n);
    const std::size_t bytes = n * sizeof(T);
    void* memory = default_device()->allocate(bytes);
    IL_CHECK(memory != nullptr, "tests: no device memory for {} bytes", bytes);
    // What the host writes by address is unknown to the checked executor, which would call it uninitialised.
    const std::vector<unsigned char> zeros(bytes);
    default_device()->upload(memory, zeros.data(), bytes);
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, std::size_t n) {
    if (!has_device_engine()) return std::allocator<T>().deallocate(memory, n);
    default_device()->synchronize();
    default_device()->release(memory);
  }
  friend bool operator==(const Allocator&, const Allocator&) { return true; }
};

template <class T>
using Memory = std::vector<T, Allocator<T>>;
using Bytes = Memory<unsigned char>;

}  // namespace innerloop::kernels::harness
