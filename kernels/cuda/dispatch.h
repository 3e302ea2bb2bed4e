// The step from a dtype to a C++ type, for the host side of kernel files.
#pragma once

#include <string_view>

#include "tensor/dtype.h"
#include "tensor/error.h"

namespace innerloop::kernels::cuda {

/// Calls f(float{}) or f(double{}).
template <class F>
void with_float(DType dtype, std::string_view op, const F& f) {
  IL_CHECK(is_floating(dtype), "{}: dtype {} is not supported; use f32 or f64", op, name_of(dtype));
  if (dtype == DType::kF32)
    f(float{});
  else
    f(double{});
}

}  // namespace innerloop::kernels::cuda
