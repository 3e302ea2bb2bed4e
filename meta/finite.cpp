#include "meta/finite.h"

namespace innerloop::meta {

bool all_finite(const Tensor& tensor) {
  const auto scan = [](auto values) {
    // x * 0 is 0 for every finite x and NaN for the others, so one sum decides, and it vectorises.
    double sum = 0;
    for (const auto x : values) sum += static_cast<double>(x * 0);
    return sum == 0;
  };
  return tensor.dtype() == DType::kF32 ? scan(tensor.data<float>()) : scan(tensor.data<double>());
}

std::ptrdiff_t first_not_finite(const std::vector<Tensor>& tensors) {
  for (std::size_t i = 0; i < tensors.size(); ++i)
    if (!all_finite(tensors[i])) return static_cast<std::ptrdiff_t>(i);
  return -1;
}

}  // namespace innerloop::meta
