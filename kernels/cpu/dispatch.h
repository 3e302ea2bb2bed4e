// Small tools that every CPU kernel file uses: the step from a dtype to a C++ type, the cut of work into chunks, scalar
// mathematics without std:: overloads, and scratch memory.
//
// All is in the target's namespace and inlined (the rule in kernels/kernel.h).
#pragma once

#include <cstdint>
#include <memory>

#include "kernels/cpu/simd.h"
#include "tensor/context.h"
#include "tensor/dtype.h"
#include "tensor/error.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

/// Calls f(float{}) or f(double{}).
template <class F>
IL_INLINE void with_float(DType dtype, const char* op, const F& f) {
  IL_CHECK(is_floating(dtype), "{}: dtype {} is not supported; use f32 or f64", op, name_of(dtype));
  if (dtype == DType::kF32) {
    f(float{});
  } else {
    f(double{});
  }
}

IL_INLINE std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
IL_INLINE std::int64_t smaller(std::int64_t a, std::int64_t b) { return a < b ? a : b; }
IL_INLINE std::int64_t larger(std::int64_t a, std::int64_t b) { return a > b ? a : b; }

template <class T>
IL_INLINE void add_in_place(T* to, const T* from, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) to[i] += from[i];
}

/// Elements that are worth a trip to another thread; the unit in which pointwise work is cut, by shape alone.
inline constexpr std::int64_t kChunkElements = 32768;

/// body(begin, end) over [0, n) in chunks of `chunk`.
template <class Body>
IL_INLINE void parallel_chunks(Context& context, std::int64_t n, std::int64_t chunk, const Body& body) {
  context.threads().parallel_for(ceil_div(n, chunk),
                                 [&](std::int64_t i) { body(i * chunk, smaller(n, (i + 1) * chunk)); });
}

/// `count` elements of uninitialised scratch, given back at the end of the scope.
template <class T>
class Scratch {
 public:
  Scratch() = default;
  Scratch(Context& context, std::int64_t count)
      : owner_(context.arena().allocate(static_cast<std::size_t>(count) * sizeof(T))) {}
  IL_INLINE T* data() const { return static_cast<T*>(owner_.get()); }

 private:
  std::shared_ptr<void> owner_;
};

IL_INLINE float exp_of(float x) { return __builtin_expf(x); }
IL_INLINE double exp_of(double x) { return __builtin_exp(x); }
IL_INLINE float log_of(float x) { return __builtin_logf(x); }
IL_INLINE double log_of(double x) { return __builtin_log(x); }
IL_INLINE float sqrt_of(float x) { return __builtin_sqrtf(x); }
IL_INLINE double sqrt_of(double x) { return __builtin_sqrt(x); }
IL_INLINE float tanh_of(float x) { return __builtin_tanhf(x); }
IL_INLINE double tanh_of(double x) { return __builtin_tanh(x); }

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
