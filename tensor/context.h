// Context: where kernels run. Threads, memory, the instruction set, and what to watch for.
#pragma once

#include <memory>
#include <string_view>

#include "tensor/arena.h"
#include "tensor/device.h"
#include "tensor/thread_pool.h"

namespace innerloop {

/// Which implementation of a kernel serves: a CPU instruction set, or the GPU. kAmx is kAvx512 with the products of float32
/// convolutions made on AMX tiles, as exactly (kernels/cpu/amx/tile.h).
enum class Target { kPortable, kAvx2, kAvx512, kAmx, kCuda };
inline constexpr int kTargetCount = 5;

/// Whose kernels `target` runs.
inline Target kernels_of(Target target) { return target == Target::kAmx ? Target::kAvx512 : target; }

std::string_view name_of(Target target);

/// The best CPU target of this machine, or the one that IL_SIMD = amx | avx512 | avx2 | portable names. Throws UsageError when
/// IL_SIMD names an unknown set or one that this CPU lacks.
Target cpu_target();

/// Whether contexts convolve with fewer products where that pays (kernels/cpu/conv_winograd.h), and in what tiles of outputs: all that
/// there are, or only those whose errors are no larger than a direct sum's.
enum class Winograd : std::uint8_t { kOff, kSmallTiles, kOn };
/// kOn, or what IL_WINOGRAD = on | small | off says. Throws UsageError when it says anything else.
Winograd winograd_wanted();

enum class FiniteCheck { kOff, kOn };

class Context {
 public:
  /// threads = 0 takes one a core. With Target::kCuda it is a context of the default device (below), whose work one
  /// thread puts on one queue: `threads` is then not used.
  explicit Context(int threads = 0, Target target = cpu_target());
  /// Tensors live on `device` and kernels run there.
  explicit Context(std::shared_ptr<Device> device);

  ThreadPool& threads() { return *threads_; }
  /// Where new tensors get their memory: the device's arena, if there is one.
  Arena& arena() { return *arena_; }
  /// The arena of the host: the same one for a context of the CPU.
  Arena& host_arena() { return *host_arena_; }
  /// nullptr for a context of the CPU.
  Device* device() const { return device_.get(); }
  Target target() const { return target_; }
  Winograd winograd() const { return winograd_; }
  void set_winograd(Winograd winograd) { winograd_ = winograd; }

  /// kOn: every op's outputs are scanned, and the first op that makes a NaN or an infinity is named in an Error.
  void set_finite_check(FiniteCheck check) { finite_check_ = check; }
  FiniteCheck finite_check() const { return finite_check_; }

  /// The context that ops on this thread use: the innermost ContextScope, else one made on first use for the process.
  static Context& current();

 private:
  std::shared_ptr<Device> device_;
  std::shared_ptr<Arena> arena_, host_arena_;
  std::unique_ptr<ThreadPool> threads_;
  Target target_;
  Winograd winograd_ = winograd_wanted();
  FiniteCheck finite_check_ = FiniteCheck::kOff;
};

/// Makes `context` current on this thread while it lives. parallel_for bodies that run ops open one of their own.
class ContextScope {
 public:
  explicit ContextScope(Context& context);
  ~ContextScope();
  ContextScope(const ContextScope&) = delete;
  ContextScope& operator=(const ContextScope&) = delete;

 private:
  Context* previous_;
};

}  // namespace innerloop
