// What a kernel costs at least, from its views alone: arithmetic and memory traffic, the same on every target.
//
// Beside each kernel's struct stands `cost_of`, a pure function; kernels::run() does not compile without it.
//
// FLOPs are the operations of the kernel's formula on its elements: an addition, subtraction, multiplication, division,
// square root or function counts 1, so a multiply-add counts 2. What is the same for a whole channel or tensor is left out, as
// are comparisons, selections, integers and random numbers. Taps of a convolution that fall into its padding count.
// Bytes are ideal: each operand is read once, each output written once, and what is between them stays in registers. A
// kernel moves more where it passes twice over its operand, and a memory sees less where a cache serves.
#pragma once

#include <cstdint>
#include <span>

#include "tensor/view.h"

namespace innerloop::kernels {

struct KernelCost {
  std::int64_t flops = 0;
  std::int64_t bytes = 0;

  constexpr KernelCost& operator+=(const KernelCost& other) {
    flops += other.flops;
    bytes += other.bytes;
    return *this;
  }
  friend constexpr KernelCost operator+(KernelCost a, const KernelCost& b) { return a += b; }
  friend constexpr bool operator==(const KernelCost&, const KernelCost&) = default;
};

/// 0 for an operand that is absent. (One of rank 0 would be a view without a shape: kernels have none.)
constexpr std::int64_t elements_of(const ConstView& v) { return v.shape.rank() == 0 ? 0 : v.shape.numel(); }
inline std::int64_t elements_of(std::span<const ConstView> list) {
  std::int64_t n = 0;
  for (const ConstView& v : list) n += elements_of(v);
  return n;
}
inline std::int64_t elements_of(std::span<const View> list) {
  std::int64_t n = 0;
  for (const View& v : list) n += elements_of(v);
  return n;
}

constexpr std::int64_t bytes_of(const ConstView& v) {
  return elements_of(v) * static_cast<std::int64_t>(size_of(v.dtype));
}
inline std::int64_t bytes_of(std::span<const ConstView> list) {
  std::int64_t n = 0;
  for (const ConstView& v : list) n += bytes_of(v);
  return n;
}
inline std::int64_t bytes_of(std::span<const View> list) {
  std::int64_t n = 0;
  for (const View& v : list) n += bytes_of(v);
  return n;
}
/// Of several views or lists.
template <class A, class B, class... More>
constexpr std::int64_t bytes_of(const A& a, const B& b, const More&... more) {
  return bytes_of(a) + bytes_of(b) + (std::int64_t{0} + ... + bytes_of(more));
}

/// The largest task extent: how often the work of one task is done.
constexpr std::int64_t tasks_of(const ConstView& a, const ConstView& b, const ConstView& c) {
  const std::int64_t x = a.shape[0], y = b.shape[0], z = c.shape[0];
  const std::int64_t most = x > y ? x : y;
  return most > z ? most : z;
}

}  // namespace innerloop::kernels
