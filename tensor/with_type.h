// The step from a dtype at run time to the C++ type behind it.
#pragma once

#include "tensor/dtype.h"
#include "tensor/error.h"

namespace innerloop {

/// Calls f with a null pointer of the C++ type behind `dtype`.
template <class F>
auto with_type(DType dtype, F f) {
  switch (dtype) {
    case DType::kF32: return f(static_cast<float*>(nullptr));
    case DType::kF64: return f(static_cast<double*>(nullptr));
    case DType::kI32: return f(static_cast<std::int32_t*>(nullptr));
    case DType::kI64: return f(static_cast<std::int64_t*>(nullptr));
    case DType::kU8: return f(static_cast<std::uint8_t*>(nullptr));
  }
  fail("dtype {} is none of ours", static_cast<int>(dtype));
}

}  // namespace innerloop
