// Copies of a few numbers: what counts is that a list of them is one launch, its addresses travelling as an argument.
#include "kernels/pack.h"

#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/dispatch.h"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/launch.cuh"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

struct Part {
  const void* data;
  std::int64_t begin, count;  ///< place in the row, elements
  std::int32_t is_f64;
};

struct Parts {
  Part part[kMaxParts];
};

/// One block a part. Element j of a part goes to out[begin + j * step]; `clock` picks the row of a ring.
template <class T>
__global__ void scatter_parts_kernel(Parts parts, T* out, std::int64_t step, const std::int64_t* clock, std::int64_t rows,
                                     std::int64_t width) {
  grid_dependency_sync();
  const Part& p = parts.part[blockIdx.x];
  T* row = out + (clock != nullptr ? *clock % rows * width : 0);
  for (std::int64_t j = threadIdx.x; j < p.count; j += blockDim.x)
    row[p.begin + j * step] = p.is_f64 != 0 ? static_cast<T>(static_cast<const double*>(p.data)[j])
                                            : static_cast<T>(static_cast<const float*>(p.data)[j]);
}

template <class T>
void scatter(std::span<const ConstView> parts, View out, std::int64_t step, ConstView clock, Context& context,
             std::string_view op) {
  const std::int64_t rows = out.shape[0], width = out.shape[1];
  std::int64_t begin = 0;
  for (std::size_t first = 0; first < parts.size(); first += kMaxParts) {
    Parts table{};
    const std::size_t count = std::min(kMaxParts, parts.size() - first);
    for (std::size_t i = 0; i < count; ++i) {
      const ConstView& v = parts[first + i];
      with_float(v.dtype, op, [](auto) {});
      table.part[i] = {v.data, begin, v.shape.numel(), v.dtype == DType::kF64 ? 1 : 0};
      begin += step == 1 ? v.shape.numel() : 1;
    }
    launch(scatter_parts_kernel<T>, dim3(static_cast<unsigned>(count)), dim3(128), 0, stream_of(context), table,
           out.as<T>(), step, clock.as<std::int64_t>(), rows, width);
  }
}

void run_here(const Interleave& k, Context& context) {
  if (k.out.shape.numel() == 0) return;
  with_float(k.out.dtype, "interleave", [&]<class T>(T) {
    scatter<T>(k.columns, k.out, static_cast<std::int64_t>(k.columns.size()) == 1 ? 1 : k.out.shape[1], {}, context,
               "interleave");
  });
}

void run_here(const PackRow& k, Context& context) {
  if (k.ring.shape.numel() == 0) return;
  scatter<double>(k.parts, k.ring, 1, k.clock, context, "pack_row");
}

IL_REGISTER_KERNEL(Interleave);
IL_REGISTER_KERNEL(PackRow);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
