// Pack: neighbouring elements that one thread moves at once, and the loop over packs that every pointwise kernel is.
//
//   struct Body {                                          // what happens to the elements [i, i + kWidth)
//     template <int kWidth> __device__ void at(std::int64_t i) const;
//   };
//   for_each_pack<T>(stream, n, fits, body)
//
// A pack has kPack<T> elements (pack_width.h). What is left over at the end, and everything where an address is not a multiple
// of 16, goes element by element.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "kernels/cuda/grid.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/pack_width.h"

namespace innerloop::kernels::cuda {

template <class T, int kWidth>
struct alignas(sizeof(T) * kWidth) Pack {
  T lane[kWidth];
};

template <int kWidth, class T>
__device__ __forceinline__ Pack<T, kWidth> load_pack(const T* from) {
  return load_as<Pack<T, kWidth>>(from);
}
template <class T, int kWidth>
__device__ __forceinline__ void store_pack(T* to, const Pack<T, kWidth>& pack) {
  store_as(to, pack);
}

enum class Packs { kFit, kDoNotFit };

/// kFit where every address is a multiple of 16 (a null one is) and every extent one of `width` elements.
inline Packs packs_fit(std::initializer_list<const void*> addresses, int width = 1,
                       std::initializer_list<std::int64_t> extents = {}) {
  for (const void* a : addresses)
    if (reinterpret_cast<std::uintptr_t>(a) % 16 != 0) return Packs::kDoNotFit;
  for (const std::int64_t n : extents)
    if (n % width != 0) return Packs::kDoNotFit;
  return Packs::kFit;
}

template <int kWidth, class Body>
__global__ void __launch_bounds__(kBlock) pointwise_kernel(Body body, std::int64_t n) {
  grid_dependency_sync();
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  const std::int64_t packs = n / kWidth;
  for (std::int64_t i = first; i < packs; i += stride) body.template at<kWidth>(i * kWidth);
  if constexpr (kWidth > 1)
    for (std::int64_t i = packs * kWidth + first; i < n; i += stride) body.template at<1>(i);
}

/// Runs `body` over [0, n) in packs of T where they fit. Nothing for n = 0.
template <class T, class Body>
void for_each_pack(cudaStream_t stream, std::int64_t n, Packs packs, const Body& body) {
  if (n == 0) return;
  if (packs == Packs::kFit)
    launch(pointwise_kernel<kPack<T>, Body>, dim3(blocks_for(n, kPack<T>)), dim3(kBlock), 0, stream, body, n);
  else
    launch(pointwise_kernel<1, Body>, dim3(blocks_for(n)), dim3(kBlock), 0, stream, body, n);
}

}  // namespace innerloop::kernels::cuda
