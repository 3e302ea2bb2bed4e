// Where the kernel tests run: on the device, when the program was linked with an engine for one, else on every CPU target of
// the machine. Their arrays live in memory that both can address.
#pragma once

#include <map>
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

/// What tests gave back of a device's memory, by size: to ask the system for memory that the host can address takes longer than a test's
/// kernels. The executor keeps nothing: it is to see what is used after it was released.
class Released {
 public:
  static void* take(std::size_t bytes) {
    std::vector<void*>& all = of(bytes);
    if (all.empty()) return default_device()->allocate(bytes);
    void* const memory = all.back();
    all.pop_back();
    return memory;
  }
  static void give(void* memory, std::size_t bytes) {
    if (is_executed()) return default_device()->release(memory);
    of(bytes).push_back(memory);
  }

 private:
  static std::vector<void*>& of(std::size_t bytes) {
    static auto* const all = new std::map<std::size_t, std::vector<void*>>;  // never destroyed, as what it holds
    return (*all)[bytes];
  }
};

/// std::allocator, or the device's memory, which the tests ask to be one that the host can address. For one thread.
template <class T>
struct Allocator {
  using value_type = T;
  Allocator() = default;
  template <class U>
  Allocator(const Allocator<U>&) {}  // NOLINT: as the standard's
  T* allocate(std::size_t n) {
    if (!has_device_engine()) return std::allocator<T>().allocate(n);
    const std::size_t bytes = n * sizeof(T);
    void* memory = Released::take(bytes);
    IL_CHECK(memory != nullptr, "tests: no device memory for {} bytes", bytes);
    // What the host writes by address is unknown to the checked executor, which would call it uninitialised.
    const std::vector<unsigned char> zeros(bytes);
    default_device()->upload(memory, zeros.data(), bytes);
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, std::size_t n) {
    if (!has_device_engine()) return std::allocator<T>().deallocate(memory, n);
    default_device()->synchronize();
    Released::give(memory, n * sizeof(T));
  }
  friend bool operator==(const Allocator&, const Allocator&) { return true; }
};

template <class T>
using Memory = std::vector<T, Allocator<T>>;
using Bytes = Memory<unsigned char>;

}  // namespace innerloop::kernels::harness
