// Copies of a few numbers: no threads.
#include "kernels/pack.h"

#include "kernels/cpu/dispatch.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

void run_here(const Interleave& k, Context&) {
  const std::int64_t width = static_cast<std::int64_t>(k.columns.size());
  with_float(k.out.dtype, "interleave", [&](auto tag) {
    using T = decltype(tag);
    T* out = k.out.as<T>();
    for (std::int64_t c = 0; c < width; ++c) {
      const ConstView& column = k.columns[static_cast<std::size_t>(c)];
      const T* in = column.as<T>();
      const std::int64_t rows = column.shape.numel();
      for (std::int64_t t = 0; t < rows; ++t) out[t * width + c] = in[t];
    }
  });
}

void run_here(const PackRow& k, Context&) {
  const std::int64_t rows = k.ring.shape[0], width = k.ring.shape[1];
  double* out = k.ring.as<double>() + (k.clock ? *k.clock.as<std::int64_t>() % rows : 0) * width;
  for (std::size_t i = 0; i < k.parts.size(); ++i) {
    const ConstView& part = k.parts[i];
    const std::int64_t n = part.shape.numel();
    with_float(part.dtype, "pack_row", [&](auto tag) {
      const auto* in = part.as<decltype(tag)>();
      for (std::int64_t j = 0; j < n; ++j) *out++ = static_cast<double>(in[j]);
    });
  }
}

IL_REGISTER_KERNEL(Interleave);
IL_REGISTER_KERNEL(PackRow);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
