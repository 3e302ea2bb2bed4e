// What a vendor library may do to the numbers. Both are strict unless a caller asks otherwise; nothing falls back.
#pragma once

#include <cstdint>
#include <string_view>

namespace innerloop::kernels::cuda {

enum class Precision : std::uint8_t {
  kStrict,  ///< products and sums in the tensors' own dtype
  kTf32,    ///< f32 operands may be rounded to 10 bits of mantissa on their way into a product
};

enum class Determinism : std::uint8_t {
  kRequired,   ///< the same bits, call after call
  kNotNeeded,  ///< sums may be taken in an order that changes from call to call
};

constexpr std::string_view name_of(Precision p) { return p == Precision::kStrict ? "strict" : "tf32"; }

}  // namespace innerloop::kernels::cuda
