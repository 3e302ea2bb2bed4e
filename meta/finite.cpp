#include "meta/finite.h"

#include <cmath>

#include "kernels/reduce.h"
#include "tensor/context.h"

namespace innerloop::meta {

double sum_of_squares(const Tensor& tensor) {
  const Tensor here = tensor.to_context();
  Tensor total = Tensor::empty({1}, DType::kF64);
  kernels::run(kernels::SumOfSquares{.x = here.view(), .y = total.mutable_view()}, Context::current());
  return total.item();
}

bool all_finite(const Tensor& tensor) {
  if (tensor.device() != nullptr) return std::isfinite(sum_of_squares(tensor));
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
