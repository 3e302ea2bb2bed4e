// Tensor-core products of one warp: C[16,8] += A[16,K] B[K,8], float32 accumulators, all 32 lanes together.
//
//   mma_tf32(c, a, b)      K = 8,  operands TF32: float32 rounded by to_tf32 (8-bit exponent, 10-bit fraction)
//   mma_bf16(c, a, b)      K = 16, operands bfloat16, two to a register, the lower index in the lower half
//
// Which element register i of a lane holds is given by a_row, a_column, ... below, from the PTX manual. With g = lane /
// 4 and t = lane % 4:
//   TF32  A: a0 [g][t]  a1 [g+8][t]  a2 [g][t+4]  a3 [g+8][t+4]          B: b0 [t][g]  b1 [t+4][g]
//   BF16  A: a0 [g][2t,2t+1]  a1 [g+8][2t,..]  a2 [g][2t+8,..]  a3 [g+8][2t+8,..]     B: b0 [2t,2t+1][g]  b1
//   [2t+8,..][g] both  C: c0 [g][2t]  c1 [g][2t+1]  c2 [g+8][2t]  c3 [g+8][2t+1]
//
//   load_matrix_x4(r, row) four 8x8 matrices of 16-bit elements from shared memory (ldmatrix): lane l passes the
//   address of
//                          row l % 8 of matrix l / 8 (16 bytes, 16-byte aligned) and gets, of matrix i in r[i],
//                          elements [g][2t] and [g][2t+1]; the _transposed form gives [2t][g] and [2t+1][g]. The BF16 A
//                          fragment is one such load of its quadrants (rows, columns): (0,0) (8,0) (0,8) (8,8).
//
// Rounding: products are exact in float32. The CPU adds them one by one, k ascending, each sum rounded to nearest; the
// device's adder keeps a few more bits and truncates. Compare with a tolerance of K * 2^-23 of the sum of magnitudes.
#pragma once

#include "kernels/cuda/device.cuh"
#include "tensor/host_device.h"

#if !defined(__CUDACC__)
#include <cstring>
#endif

namespace innerloop::kernels::cuda {

struct MmaAccumulator {
  float r[4];
};
struct MmaTf32A {
  unsigned r[4];
};
struct MmaTf32B {
  unsigned r[2];
};
struct MmaBf16A {
  unsigned r[4];
};
struct MmaBf16B {
  unsigned r[2];
};

/// Rows and columns of the accumulators' registers.
IL_HD_INLINE int c_row(int lane, int i) { return lane / 4 + 8 * (i / 2); }
IL_HD_INLINE int c_column(int lane, int i) { return lane % 4 * 2 + i % 2; }
/// TF32 operands: A is [row][k], B is [k][column].
IL_HD_INLINE int tf32_a_row(int lane, int i) { return lane / 4 + 8 * (i % 2); }
IL_HD_INLINE int tf32_a_k(int lane, int i) { return lane % 4 + 4 * (i / 2); }
IL_HD_INLINE int tf32_b_k(int lane, int i) { return lane % 4 + 4 * i; }
IL_HD_INLINE int tf32_b_column(int lane, int) { return lane / 4; }
/// BF16 operands: the first of register i's two values; the second has k + 1.
IL_HD_INLINE int bf16_a_row(int lane, int i) { return lane / 4 + 8 * (i % 2); }
IL_HD_INLINE int bf16_a_k(int lane, int i) { return lane % 4 * 2 + 8 * (i / 2); }
IL_HD_INLINE int bf16_b_k(int lane, int i) { return lane % 4 * 2 + 8 * i; }
IL_HD_INLINE int bf16_b_column(int lane, int) { return lane / 4; }

#if defined(__CUDACC__)

/// The TF32 value nearest to x, ties away from zero, in the upper 19 bits (cvt.rna.tf32.f32).
/// A NaN stays one if its upper bits say so, as those of arithmetic do; the lower 13 are dropped.
__device__ __forceinline__ unsigned to_tf32(float x) {
  unsigned result;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(result) : "f"(x));
  return result;
}

__device__ __forceinline__ void mma_tf32(MmaAccumulator& c, const MmaTf32A& a, const MmaTf32B& b) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c.r[0]), "+f"(c.r[1]), "+f"(c.r[2]), "+f"(c.r[3])
      : "r"(a.r[0]), "r"(a.r[1]), "r"(a.r[2]), "r"(a.r[3]), "r"(b.r[0]), "r"(b.r[1]));
}

__device__ __forceinline__ void mma_bf16(MmaAccumulator& c, const MmaBf16A& a, const MmaBf16B& b) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c.r[0]), "+f"(c.r[1]), "+f"(c.r[2]), "+f"(c.r[3])
      : "r"(a.r[0]), "r"(a.r[1]), "r"(a.r[2]), "r"(a.r[3]), "r"(b.r[0]), "r"(b.r[1]));
}

__device__ __forceinline__ void load_matrix_x4(unsigned (&r)[4], const void* row) {
  const auto address = static_cast<unsigned>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
}

__device__ __forceinline__ void load_matrix_x4_transposed(unsigned (&r)[4], const void* row) {
  const auto address = static_cast<unsigned>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
}

#else

inline unsigned to_tf32(float x) {
  const unsigned bits = __float_as_uint(x);
  if ((bits & 0x7f800000u) == 0x7f800000u) {  // infinity stays; every NaN becomes the canonical one
    return (bits & 0x007fffffu) == 0 ? bits : 0x7fffffffu;
  }
  return (bits + 0x00001000u) & 0xffffe000u;
}

namespace detail {

template <class A, class B>
struct MmaOperands {
  const A* a;
  const B* b;
  MmaAccumulator* c;
};

/// A row at a time, whatever the compiler optimises: executed tiles spend most of their time here.
using Row [[gnu::vector_size(8 * sizeof(float))]] = float;

/// All of the warp's product at once; runs on the lane that comes last.
template <class Operands, int kDepth>
IL_UNCHECKED void multiply_tiles(const float (&a)[16][kDepth], const Row (&b)[kDepth], void* const* payloads) {
  const auto accumulator = [&](int lane, int i) IL_UNCHECKED -> float& {
    return static_cast<const Operands*>(payloads[lane])->c->r[i];
  };
  Row c[16];
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < 4; ++i) c[c_row(lane, i)][c_column(lane, i)] = accumulator(lane, i);
  }
  for (int row = 0; row < 16; ++row) {
    for (int k = 0; k < kDepth; ++k) c[row] += a[row][k] * b[k];
  }
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < 4; ++i) accumulator(lane, i) = c[c_row(lane, i)][c_column(lane, i)];
  }
}

// Always inlined, as those above: a checked build keeps its hands off the executor's own work, and would call them instead.
IL_HD_INLINE float value_of(unsigned bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
IL_HD_INLINE float tf32_value(unsigned bits) { return value_of(bits & 0xffffe000u); }  // what the multiplier looks at
IL_HD_INLINE float bf16_value(unsigned pair, int half) { return value_of(half == 0 ? pair << 16 : pair & 0xffff0000u); }

inline constexpr host_executor::Primitive kMmaTf32{"mma.m16n8k8.tf32"}, kMmaBf16{"mma.m16n8k16.bf16"},
    kLoadMatrix{"ldmatrix.x4"}, kLoadMatrixTransposed{"ldmatrix.x4.trans"};
inline constexpr unsigned kWholeWarp = 0xffffffffu;

struct MatrixRows {
  const void* row;
  unsigned* registers;
};

template <bool kTransposed>
void distribute_matrices(void* const* payloads, unsigned) {
  std::uint16_t elements[4][8][8];
  for (int lane = 0; lane < 32; ++lane) {
    std::memcpy(elements[lane / 8][lane % 8], static_cast<const MatrixRows*>(payloads[lane])->row, 16);
  }
  for (int lane = 0; lane < 32; ++lane) {
    const int g = lane / 4, t = lane % 4;
    for (int i = 0; i < 4; ++i) {
      const auto& m = elements[i];
      const unsigned low = kTransposed ? m[2 * t][g] : m[g][2 * t];
      const unsigned high = kTransposed ? m[2 * t + 1][g] : m[g][2 * t + 1];
      static_cast<const MatrixRows*>(payloads[lane])->registers[i] = low | high << 16;
    }
  }
}

}  // namespace detail

inline void mma_tf32(MmaAccumulator& c, const MmaTf32A& a, const MmaTf32B& b,
                     host_executor::Site site = host_executor::Site::here()) {
  using Operands = detail::MmaOperands<MmaTf32A, MmaTf32B>;
  Operands operands{&a, &b, &c};
  host_executor::meet(detail::kWholeWarp, detail::kMmaTf32, site, &operands, [](void* const* payloads, unsigned) IL_UNCHECKED {
    float tile_a[16][8];
    detail::Row tile_b[8];
    for (int lane = 0; lane < 32; ++lane) {
      const auto& from = *static_cast<const Operands*>(payloads[lane]);
      for (int i = 0; i < 4; ++i) tile_a[tf32_a_row(lane, i)][tf32_a_k(lane, i)] = detail::tf32_value(from.a->r[i]);
      for (int i = 0; i < 2; ++i) tile_b[tf32_b_k(lane, i)][tf32_b_column(lane, i)] = detail::tf32_value(from.b->r[i]);
    }
    detail::multiply_tiles<Operands>(tile_a, tile_b, payloads);
  });
}

inline void mma_bf16(MmaAccumulator& c, const MmaBf16A& a, const MmaBf16B& b,
                     host_executor::Site site = host_executor::Site::here()) {
  using Operands = detail::MmaOperands<MmaBf16A, MmaBf16B>;
  Operands operands{&a, &b, &c};
  host_executor::meet(detail::kWholeWarp, detail::kMmaBf16, site, &operands, [](void* const* payloads, unsigned) IL_UNCHECKED {
    float tile_a[16][16];
    detail::Row tile_b[16];
    for (int lane = 0; lane < 32; ++lane) {
      const auto& from = *static_cast<const Operands*>(payloads[lane]);
      for (int half = 0; half < 2; ++half) {
        for (int i = 0; i < 4; ++i) {
          tile_a[bf16_a_row(lane, i)][bf16_a_k(lane, i) + half] = detail::bf16_value(from.a->r[i], half);
        }
        for (int i = 0; i < 2; ++i) {
          tile_b[bf16_b_k(lane, i) + half][bf16_b_column(lane, i)] = detail::bf16_value(from.b->r[i], half);
        }
      }
    }
    detail::multiply_tiles<Operands>(tile_a, tile_b, payloads);
  });
}

// The lane that passes a row answers for reading it, whichever lanes get the elements.
IL_DEVICE_PRIMITIVE inline void load_matrix_x4(unsigned (&r)[4], const void* row,
                                               host_executor::Site site = host_executor::Site::here()) {
  host_executor::require_aligned(row, 16, "ldmatrix row", site);
  host_executor::observe(row, 16, host_executor::Access::kRead, __builtin_return_address(0));
  detail::MatrixRows rows{row, r};
  host_executor::meet(detail::kWholeWarp, detail::kLoadMatrix, site, &rows, detail::distribute_matrices<false>);
}

IL_DEVICE_PRIMITIVE inline void load_matrix_x4_transposed(unsigned (&r)[4], const void* row,
                                                          host_executor::Site site = host_executor::Site::here()) {
  host_executor::require_aligned(row, 16, "ldmatrix row", site);
  host_executor::observe(row, 16, host_executor::Access::kRead, __builtin_return_address(0));
  detail::MatrixRows rows{row, r};
  host_executor::meet(detail::kWholeWarp, detail::kLoadMatrixTransposed, site, &rows,
                      detail::distribute_matrices<true>);
}

#endif

}  // namespace innerloop::kernels::cuda
