#include <limits>

#include "kernels/cuda/dispatch.h"
#include "kernels/cuda/pack.cuh"
#include "kernels/cuda/swap_axes.h"

namespace innerloop::kernels::cuda {
namespace {

/// Writes neighbours; Index is 32 bits where that is enough, since divisions are most of the work.
template <class T, class Index>
struct SwapBody {
  const T* from;
  T* to;
  Index first, second, inner;

  template <int kWidth>
  __device__ void at(std::int64_t place) const {
    const auto i = static_cast<Index>(place);
    const Index row = i / inner, lane = i - row * inner;
    const Index next = row / first, a = row - next * first;
    const Index outer = next / second, b = next - outer * second;
    const std::int64_t source = static_cast<std::int64_t>((outer * first + a) * second + b) * inner + lane;
    store_pack(to + place, load_pack<kWidth>(from + source));
  }
};

}  // namespace

void swap_axes(cudaStream_t stream, DType dtype, const SwapExtents& e, const void* from, void* to) {
  const std::int64_t n = e.outer * e.first * e.second * e.inner;
  if (n == 0) return;
  with_float(dtype, "swap of axes", [&]<class T>(T) {
    const Packs packs = packs_fit({from, to}, kPack<T>, {e.inner});
    const auto run = [&]<class Index>(Index) {
      for_each_pack<T>(stream, n, packs,
                       SwapBody<T, Index>{static_cast<const T*>(from), static_cast<T*>(to), static_cast<Index>(e.first),
                                          static_cast<Index>(e.second), static_cast<Index>(e.inner)});
    };
    if (n <= std::numeric_limits<std::uint32_t>::max())
      run(std::uint32_t{});
    else
      run(std::uint64_t{});
  });
}

}  // namespace innerloop::kernels::cuda
