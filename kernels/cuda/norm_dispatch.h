// The step from a norm-ReLU-pool call to the template that serves it: element type, side of the window, width of a vector.
#pragma once

#include <initializer_list>
#include <type_traits>

#include "kernels/cuda/dispatch.h"
#include "kernels/cuda/pack_width.h"
#include "kernels/norm.h"

namespace innerloop::kernels::cuda {

/// Whether `width` neighbouring channels of each operand are one aligned access. Absent operands do not matter.
inline bool can_be_vectors(std::initializer_list<ConstView> operands, std::size_t width) {
  for (const ConstView& v : operands) {
    if (!v) continue;
    if (v.shape[-1] % static_cast<std::int64_t>(width) != 0) return false;
    if (reinterpret_cast<std::uintptr_t>(v.data) % (width * size_of(v.dtype)) != 0) return false;
  }
  return true;
}

/// Throws unless `constants` are `lines` lines for each task of y.
inline void check_constants(std::string_view op, const ConstView& constants, const ConstView& y, std::int64_t lines) {
  IL_CHECK(constants.dtype == y.dtype && y.shape.rank() == 5 && constants.shape == Shape({y.shape[0], lines, y.shape[4]}),
           "{}: constants {} ({}) for {}; {} lines a task are needed", op, constants.shape.to_string(), name_of(constants.dtype),
           y.shape.to_string(), lines);
}

/// Channels that a walk over picks takes together; what leaves_picks() asks for (conv_moments.h).
inline constexpr int kPickWidth = 4;

inline void check_picked(std::string_view op, Pool pool, std::initializer_list<ConstView> operands) {
  IL_CHECK(pool == Pool::kMax2x2 && operands.begin()->dtype == DType::kF32 && can_be_vectors(operands, kPickWidth),
           "{}: picks are of float32, of a pool, and of channels in aligned fours", op);
}

/// Calls f(T{}, width, side) with integral constants for the two numbers. `operands`: those with an element for each pixel or
/// window.
template <class F>
void with_norm(DType dtype, Pool pool, std::string_view op, std::initializer_list<ConstView> operands, const F& f) {
  with_float(dtype, op, [&]<class T>(T) {
    const auto with_width = [&](auto width) {
      if (pool == Pool::kNone) {
        f(T{}, width, std::integral_constant<int, 1>{});
      } else {
        f(T{}, width, std::integral_constant<int, 2>{});
      }
    };
    if (can_be_vectors(operands, kPack<T>)) {
      with_width(std::integral_constant<int, kPack<T>>{});
    } else {
      with_width(std::integral_constant<int, 1>{});
    }
  });
}

}  // namespace innerloop::kernels::cuda
