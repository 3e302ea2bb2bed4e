// How a kernel is called and how an implementation is found.
//
// A kernel is a plain struct of views and numbers, declared in kernels/FAMILY.h with its contract, and run by
// run(kernel, context). Implementations live in kernels/cpu/FAMILY.cpp (compiled once for each CPU target) and
// kernels/cuda/FAMILY.cu; each defines `run_here(const K&, Context&)` in its own target's namespace and registers it.
// Adding a kernel touches its header and its implementations, nothing in between. Beside the struct stands its cost
// (kernels/cost.h).
#pragma once

#include <concepts>
#include <string_view>

#include "kernels/cost.h"
#include "kernels/watch.h"
#include "tensor/context.h"
#include "tensor/error.h"
#include "tensor/view.h"

namespace innerloop::kernels {

template <class K>
struct KernelTable {
  using Function = void (*)(const K&, Context&);
  static inline Function entries[kTargetCount] = {};
};

template <class K>
concept StatesItsCost = requires(const K& kernel) {
  { cost_of(kernel) } -> std::same_as<KernelCost>;
};

/// Runs `kernel` with the implementation of the context's target. Throws when that target has none: work is never moved
/// to another device silently.
template <class K>
void run(const K& kernel, Context& context) {
  static_assert(StatesItsCost<K>, "declare `KernelCost cost_of(const K&)` beside the kernel's struct: kernels/cost.h");
  const auto function = KernelTable<K>::entries[static_cast<int>(kernels_of(context.target()))];
  IL_CHECK(function != nullptr, "{}: no implementation for the target {}", K::kName, name_of(context.target()));
  if (const KernelHooks* hooks = watch_internal::current.load(std::memory_order_relaxed); hooks != nullptr) [[unlikely]] {
    const watch_internal::WatchedCall watched(*hooks, {K::kName, cost_of(kernel), context});
    function(kernel, context);
    return;
  }
  function(kernel, context);
}

}  // namespace innerloop::kernels

// IL_TARGET_NAMESPACE (portable, avx2, avx512) and IL_TARGET (the Target enumerator) come from the build, one pair for
// each compilation of kernels/cpu/*.cpp.
//
// Rule for those files: every function that they instantiate must be theirs alone. A std:: template instantiated in an
// AVX-512 object is a weak symbol that the linker may hand to the portable code; so no containers or algorithms there,
// only built-in types, intrinsics and the headers of this folder.
#define IL_REGISTER_KERNEL(K)                                                         \
  [[maybe_unused]] static const bool il_registered_##K =                              \
      (::innerloop::kernels::KernelTable<K>::entries[static_cast<int>(IL_TARGET)] = &run_here, true)
