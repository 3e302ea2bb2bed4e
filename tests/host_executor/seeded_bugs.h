// Kernels with one bug each, and correct ones that look suspicious: what the executor must find, and what it must not.
#pragma once

#include <optional>
#include <ostream>
#include <vector>

#include "kernels/cuda/host/diagnostics.h"

namespace innerloop::tests {

struct SeededBug {
  /// What the plain executor shows: an error in every order, a wrong result in some order, or nothing to rely on.
  enum class Plain { kError, kWrongResult, kNothing };

  const char* name;
  /// Runs the kernel; false when its result is wrong.
  bool (*run)();
  Plain plain;
  /// The checked executor's report, where there is one. With Plain::kError the plain executor gives the same.
  std::optional<host_executor::Fault> fault;
  /// What AddressSanitizer or UndefinedBehaviorSanitizer says, where they see it.
  const char* sanitizer = nullptr;
};

inline void PrintTo(const SeededBug& bug, std::ostream* out) { *out << bug.name; }
const std::vector<SeededBug>& seeded_bugs();

struct CorrectKernel {
  const char* name;
  bool (*run)();
};
inline void PrintTo(const CorrectKernel& kernel, std::ostream* out) { *out << kernel.name; }
const std::vector<CorrectKernel>& correct_kernels();

/// A kernel that throws std::runtime_error in thread 77 of 256, between two barriers.
void launch_throwing_kernel();
/// Reads device memory on the host.
float read_device_memory_on_host();

}  // namespace innerloop::tests
