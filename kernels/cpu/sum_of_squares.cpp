// The sum of squares: a fixed set of float64 lanes over each chunk, joined pairwise, and then the chunks in order.
#include "kernels/cpu/dispatch.h"
#include "kernels/reduce.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

inline constexpr int kSumLanes = 32;

template <class T>
double squares(const T* x, std::int64_t n) {
  double lane[kSumLanes] = {};
  std::int64_t i = 0;
  for (; i + kSumLanes <= n; i += kSumLanes)
    for (int j = 0; j < kSumLanes; ++j) {
      const double v = static_cast<double>(x[i + j]);
      lane[j] += v * v;
    }
  for (int j = 0; i < n; ++i, ++j) lane[j] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  for (int width = kSumLanes / 2; width > 0; width /= 2)
    for (int j = 0; j < width; ++j) lane[j] += lane[j + width];
  return lane[0];
}

void run_here(const SumOfSquares& k, Context& context) {
  IL_CHECK(k.y.dtype == DType::kF64 && k.y.shape.numel() == 1, "sum_of_squares: into {} ({}); one f64 is needed",
           k.y.shape.to_string(), name_of(k.y.dtype));
  with_float(k.x.dtype, "sum_of_squares", [&](auto tag) {
    using T = decltype(tag);
    const std::int64_t n = k.x.shape.numel(), chunks = ceil_div(n, kChunkElements);
    const T* x = k.x.template as<T>();
    const Scratch<double> partial(context, larger(1, chunks));
    context.threads().parallel_for(chunks, [&](std::int64_t i) {
      partial.data()[i] = squares(x + i * kChunkElements, smaller(kChunkElements, n - i * kChunkElements));
    });
    double sum = 0;
    for (std::int64_t i = 0; i < chunks; ++i) sum += partial.data()[i];
    *k.y.template as<double>() = sum;
  });
}

IL_REGISTER_KERNEL(SumOfSquares);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
