// What the host executor reports: one exception type with a kind, and texts that say which kernel, block and thread did
// what, where.
#pragma once

#include <cstdint>
#include <string>

#include "tensor/error.h"

namespace innerloop::host_executor {

enum class Fault {
  kLaunch,             ///< a launch that no device would accept
  kBarrierDivergence,  ///< not all threads of a block reach the same barrier
  kWarpDivergence,     ///< lanes of one mask meet at different places, or the mask names lanes that are not there
  kDeadlock,           ///< every thread waits
  kNoProgress,         ///< a loop that only another thread, or nobody, could end
  kTrap,               ///< __trap() or a failed assertion
  kOutOfBounds,
  kIllegalAddress,  ///< no device memory: mostly a host pointer
  kUseAfterFree,
  kMisaligned,
  kUninitialised,
  kDataRace,
  kGridDependency,  ///< a kernel that may begin early does not wait for those ahead of it, or not in time
};

/// A fault of a kernel or of its launch. The text is one line.
class KernelError : public Error {
 public:
  KernelError(Fault fault, const std::string& text) : Error(text), fault_(fault) {}
  Fault fault() const { return fault_; }

 private:
  Fault fault_;
};

/// A place in a kernel's source. Default arguments of barriers and warp primitives capture the caller's.
struct Site {
  const char* file = "";
  int line = 0;
  static constexpr Site here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) { return {file, line}; }
  friend bool operator==(const Site& a, const Site& b) { return a.line == b.line && a.file == b.file; }
};
std::string describe(const Site& site);

/// Throws a KernelError with `text` behind the running kernel, block and thread (as far as there are any).
[[noreturn]] void report(Fault fault, const std::string& text);

/// The demangled name of the function at `address`, "kernel at 0x..." when the program has no symbol for it.
std::string function_name(const void* address);

/// "scale<float>" of "void innerloop::(anonymous namespace)::scale<float>(float*, int)".
std::string unqualified(const std::string& demangled);

/// "file:line (function)" of an instruction that a return address follows; needs debug information and addr2line.
std::string source_position(std::uintptr_t return_address);

/// The bounds of the main program in memory: its code and its static data.
struct ProgramImage {
  std::uintptr_t base = 0, low = 0, high = 0;
  bool holds(std::uintptr_t address) const { return address - low < high - low; }
};
const ProgramImage& program_image();

}  // namespace innerloop::host_executor
