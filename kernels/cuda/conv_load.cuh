// Staging of an operand's tile [kOuter][kTileK] in shared memory, by asynchronous copies that fill in the zeros.
//
// Major is the direction in which the tensor is contiguous, and the tile lies in shared memory the same way, so that a
// copy of 16 bytes goes through whole. Neither layout is padded; both are swizzled so that every access here and in
// conv_tile_*.cuh is free of bank conflicts:
//   kAlongK   [outer][16]: two rows fill the 32 banks. The chunks of four floats of a row are permuted by bits 1 and 2
//             of its number, so that eight neighbouring rows have the chunk of one k in eight different places.
//   kAcrossK  [k][kOuter]: a row begins in bank 0. Its groups of eight floats are permuted by bits 0 and 1 of k, so
//             that the eight elements of four neighbouring k lie in 32 different banks. (A tile of 16 has only two
//             groups to permute.)
#pragma once

#include "kernels/cuda/async_copy.cuh"
#include "kernels/cuda/device.cuh"

namespace innerloop::kernels::cuda {

inline constexpr int kTileK = 16;  ///< k of a tile: two tensor-core steps

enum class Major { kAlongK, kAcrossK };

/// Where element (outer, k) of a tile lies.
template <Major kMajor, int kOuter>
__device__ __forceinline__ int tile_offset(int outer, int k) {
  if constexpr (kMajor == Major::kAlongK) {
    return outer * kTileK + (((k >> 2) ^ ((outer >> 1) & 3)) << 2) + (k & 3);
  } else {
    return k * kOuter + (outer ^ ((k & 3) << 3 & (kOuter - 1)));
  }
}

/// tile_offset(outer + outer_step, k + k_step) from base = tile_offset(outer, k), where the steps are known when
/// compiling: one exclusive or, shared by many elements, and an immediate offset. The steps' binary digits below 5
/// (outer) and 4 (k) must not be among those of outer and k, and with Major::kAlongK the outer step is a multiple of 8.
template <Major kMajor, int kOuter>
__device__ __forceinline__ int moved_offset(int base, int outer_step, int k_step) {
  if constexpr (kMajor == Major::kAlongK) {
    return (base ^ k_step) + outer_step * kTileK;
  } else {
    return (base ^ ((outer_step & 31) ^ ((k_step & 3) << 3 & (kOuter - 1)))) + (outer_step & ~31) + k_step * kOuter;
  }
}

template <class T, class Operand, Major kMajor, int kVector, int kOuter, int kThreads>
class TileLoader {
  static constexpr bool kAlongK = kMajor == Major::kAlongK;
  /// Neighbouring threads take neighbouring chunks of kVector elements along the contiguous direction.
  static constexpr int kAcross = (kAlongK ? kTileK : kOuter) / kVector;
  static constexpr int kDown = kThreads / kAcross;
  static constexpr int kPasses = (kAlongK ? kOuter : kTileK) / kDown;
  static_assert(kThreads % kAcross == 0 && kDown * kPasses == (kAlongK ? kOuter : kTileK));

 public:
  __device__ __forceinline__ TileLoader(const Operand& operand, int first_outer, int thread)
      : operand_(operand),
        across_(thread % kAcross * kVector),
        down_(thread / kAcross),
        base_(kAlongK ? tile_offset<kMajor, kOuter>(down_, across_) : tile_offset<kMajor, kOuter>(across_, down_)) {
    if constexpr (kAlongK) {
#pragma unroll
      for (int i = 0; i < kPasses; ++i) outer_[i] = operand_.outer(first_outer + down_ + i * kDown);
    } else {
      outer_[0] = operand_.outer(first_outer + across_);
    }
  }

  /// Starts the copies of columns [first_k, first_k + kTileK).
  __device__ __forceinline__ void load(const T* data, int first_k, T* tile) const {
    if constexpr (kAlongK) {
      const auto inner = operand_.inner(first_k + across_);
#pragma unroll
      for (int i = 0; i < kPasses; ++i) {
        copy(data, operand_.offset(outer_[i], inner), tile + moved_offset<kMajor, kOuter>(base_, i * kDown, 0));
      }
    } else {
      // Without vectors a tile takes many passes; unrolled whole, their index mathematics would fill the instruction
      // cache.
#pragma unroll(kPasses < 4 ? kPasses : 4)
      for (int i = 0; i < kPasses; ++i) {
        copy(data, operand_.offset(outer_[0], operand_.inner(first_k + down_ + i * kDown)),
             tile + moved_offset<kMajor, kOuter>(base_, 0, i * kDown));
      }
    }
  }

 private:
  static __device__ __forceinline__ void copy(const T* data, int offset, T* to) {
    constexpr int kBytes = kVector * static_cast<int>(sizeof(T));
    async_copy<kBytes>(to, data + (offset < 0 ? 0 : offset), offset < 0 ? 0 : kBytes);
  }

  const Operand& operand_;
  int across_, down_, base_;
  typename Operand::Outer outer_[kAlongK ? kPasses : 1];
};

}  // namespace innerloop::kernels::cuda
