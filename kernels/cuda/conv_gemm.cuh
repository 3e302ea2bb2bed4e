// The block program that the three convolutions share: a tile of the output, summed over pieces of the k axis.
//
//   block        tile over rows, fastest, then tile over columns, group, piece group, task of the output
//   a piece      a task of a sum over tasks, cut by shape into chunks of k. A block sums each of its pieces from zero
//                and adds it to the output in order, so that the bits depend neither on how many blocks share the
//                pieces nor on how many tasks a call has. Where pieces have blocks of their own, each leaves its part of the
//                tile in scratch memory, and the tile's last block joins the parts in the same order.
//   within it    pair 0 over its k, then pair 1 over the same k, into one accumulator
#pragma once

#include <cstdint>

#include "kernels/cuda/block_digits.cuh"
#include "kernels/cuda/conv_load.cuh"
#include "kernels/cuda/math.cuh"
#include "kernels/cuda/tickets.cuh"

namespace innerloop::kernels::cuda {

/// What a kernel needs beside its operands' index mathematics.
template <class T>
struct ConvGemm {
  const T* a[2] = {};
  const T* b[2] = {};
  std::int64_t a_task[2] = {}, b_task[2] = {};  ///< elements from one task to the next; 0 where one serves all
  int a_group = 0, b_group = 0, out_group = 0;  ///< elements from one group to the next
  int pairs = 1;
  int columns = 0;
  T* out = nullptr;
  std::int64_t out_task = 0, out_piece = 0;  ///< out_piece is 0 where one block sums all pieces
  int pieces_here = 1;                       ///< pieces that one block sums
  int piece_groups = 1;                      ///< blocks that share an output's pieces
  T* joined = nullptr;                       ///< the output that the parts in `out` are joined to; null: `out` is the output
  std::int64_t joined_task = 0;
  unsigned* tickets = nullptr;               ///< one for each tile of each output task, where parts are joined
  int chunks = 1, steps_chunk = 1 << 30;     ///< chunks of a task, steps of kTileK in a full chunk
  int tiles_m = 1, tiles_n = 1, groups = 1;
  int blocks = 1;  ///< all of them
};

/// The staged loop: copies run kStages - 1 tiles ahead of the products. `a` and `b` are the operands of pair 0 and
/// point_to_second(a, b) turns them to those of pair 1.
template <class Tile, class LoaderA, class LoaderB, class PointToSecond>
__device__ __forceinline__ void multiply_piece(Tile& tile, const LoaderA& left, const LoaderB& right,
                                               const typename Tile::Element* a, const typename Tile::Element* b,
                                               const PointToSecond& point_to_second, int pairs, int first_step,
                                               int steps, typename Tile::Element* shared) {
  constexpr int kSizeA = Tile::kBlockM * kTileK, kSize = kSizeA + Tile::kBlockN * kTileK, kStages = Tile::kStages;
  const int total = pairs * steps, first_k = first_step * kTileK, last_k = first_k + steps * kTileK;
  int next_k = first_k;  // of the next load
  const auto load = [&](int to_stage) {
    auto* const to = shared + to_stage * kSize;
    left.load(a, next_k, to);
    right.load(b, next_k, to + kSizeA);
    next_k += kTileK;
    if (next_k == last_k) {
      next_k = first_k;
      if (pairs > 1) point_to_second(a, b);
    }
  };
  __syncthreads();  // the piece before may still read its last stage
#pragma unroll
  for (int i = 0; i < kStages - 1; ++i) {
    if (i < total) load(i);
    async_copy_commit();
  }
  int stage = 0;
#pragma unroll 1
  for (int left_over = total; left_over > 0; --left_over) {
    async_copy_wait<kStages - 2>();
    __syncthreads();  // this stage has arrived for all, and nobody still reads the one before, which is loaded next
    if (left_over > kStages - 1) load(stage == 0 ? kStages - 1 : stage - 1);
    async_copy_commit();
    const auto* const from = shared + stage * kSize;
    tile.multiply(from, from + kSizeA);
    if (++stage == kStages) stage = 0;
  }
}

/// Neighbouring elements that are read and written at once.
template <class T, int kCount>
struct alignas(kCount * sizeof(T)) Together {
  T v[kCount];
};

/// What is written of a sum: the sum.
struct WriteSum {
  static constexpr bool kTakesStep = false, kTakesMoments = false;
};

/// Or what an SGD step makes of it: the parameter at the same place less `rate` times the sum. Parameters lie as the outputs do, so
/// one distance leads from any output to its parameter: an argument of the kernel, where a pointer would cost registers.
template <class T>
struct WriteStep {
  static constexpr bool kTakesStep = true, kTakesMoments = false;
  std::int64_t distance = 0;           ///< bytes from an output to its parameter
  T rate = 0;
  bool here = false, in_join = false;  ///< where the step is taken: neither writes the sums

  template <int kCount>
  __device__ __forceinline__ void take(Together<T, kCount>& sums, const T* output) const {
    const auto parameters = load_as<Together<T, kCount>>(reinterpret_cast<const char*>(output) + distance);
#pragma unroll
    for (int l = 0; l < kCount; ++l) sums.v[l] = descended(parameters.v[l], rate, sums.v[l]);
  }
};

/// Whether a kernel's tiles may be parts of a split sum: the registers of large ones leave no room for the join.
template <class Tile>
inline constexpr bool kJoins = Tile::kBlockM * Tile::kBlockN <= 64 * 32;

/// Where a block's tile is, for the join and the moments. It waits in shared memory, since over the products it would cost registers.
struct TilePlace {
  int ticket, out_task, group_offset, first_row, first_column;
};

/// joined[i] = ((part[0][i] + part[1][i]) + ...) for a block's tile, kVector neighbouring columns a thread at a time.
template <class Tile, int kVector, class RowMap, class Write>
__device__ __forceinline__ void join_parts(const ConvGemm<typename Tile::Element>& gemm, const TilePlace& place, int rows,
                                           const RowMap& map, const Write& write) {
  using T = typename Tile::Element;
  using V = Together<T, kVector>;
  constexpr int kAcross = Tile::kBlockN / kVector;
  const auto* const parts = gemm.out + place.out_task * gemm.out_task + place.group_offset;
  auto* const joined = gemm.joined + place.out_task * gemm.joined_task + place.group_offset;
  const int first_row = place.first_row, first_column = place.first_column;
#pragma unroll 1
  for (int i = static_cast<int>(threadIdx.x); i < Tile::kBlockM * kAcross; i += Tile::kThreads) {
    const int row = first_row + i / kAcross, column = first_column + i % kAcross * kVector;
    if (row >= rows || column >= gemm.columns) continue;
    const int at = map(row) + column;
    V sum = load_as<V>(parts + at);
    for (int p = 1; p < gemm.piece_groups; ++p) {
      const V next = load_as<V>(parts + p * gemm.out_piece + at);
#pragma unroll
      for (int l = 0; l < kVector; ++l) sum.v[l] += next.v[l];
    }
    if constexpr (Write::kTakesStep) {
      if (write.in_join) write.take(sum, joined + at);
    }
    store_as(joined + at, sum);
  }
}

/// A block's tile over `rows` rows and `steps` steps of kTileK. kVectorA, kVectorB and kVectorOut neighbouring elements
/// of each tensor are aligned together; `map` gives the place of an output row. `block` counts from 0 to gemm.blocks. `write` makes
/// what is written of the whole sums, and beside them. Returns whether the block has written whole sums, and not parts that another joins.
template <class Tile, int kVectorA, int kVectorB, int kVectorOut, class OperandA, class OperandB, class RowMap,
          class Write = WriteSum>
__device__ __forceinline__ bool conv_block(const ConvGemm<typename Tile::Element>& gemm, int rows, int steps,
                                           const OperandA& operand_a, const OperandB& operand_b, const RowMap& map,
                                           unsigned block, const Write& write = {}) {
  using T = typename Tile::Element;
  constexpr int kTogether = kVectorOut < Tile::kRun ? kVectorOut : Tile::kRun;
  IL_DYNAMIC_SHARED(T, shared);
  BlockDigits digits(block);
  const int first_row = digits.take(gemm.tiles_m) * Tile::kBlockM;
  if (first_row >= rows) return true;  // a residue with fewer rows than the largest; the whole block leaves
  const int first_column = digits.take(gemm.tiles_n) * Tile::kBlockN;
  const int group = digits.take(gemm.groups);
  const int piece_group = digits.take(gemm.piece_groups);
  const int out_task = digits.rest();
  IL_SHARED(TilePlace, place, [1]);
  if constexpr (kJoins<Tile> || Write::kTakesMoments) {
    bool wanted = kJoins<Tile> && gemm.joined != nullptr;
    if constexpr (Write::kTakesMoments) wanted = wanted || write.to != nullptr;
    if (wanted && threadIdx.x == 0) {
      const int tile = ((out_task * gemm.groups + group) * gemm.tiles_n + first_column / Tile::kBlockN) * gemm.tiles_m +
                       first_row / Tile::kBlockM;
      place[0] = {static_cast<int>(blockIdx.y) * (gemm.blocks / gemm.piece_groups) + tile, out_task,
                  group * gemm.out_group, first_row, first_column};
    }
  }

  const int thread = static_cast<int>(threadIdx.x);
  const TileLoader<T, OperandA, Tile::kLeft, kVectorA, Tile::kBlockM, Tile::kThreads> left(operand_a, first_row,
                                                                                           thread);
  const TileLoader<T, OperandB, Tile::kRight, kVectorB, Tile::kBlockN, Tile::kThreads> right(operand_b, first_column,
                                                                                             thread);
  Tile tile(thread);

  for (int i = 0; i < gemm.pieces_here; ++i) {
    const int piece = piece_group * gemm.pieces_here + i;
    const int task_piece = piece / gemm.chunks, chunk = piece - task_piece * gemm.chunks;
    // Outputs of all tasks: one task a block. A sum over tasks: out_task is 0 and the pieces walk over the tasks.
    const int task = out_task + task_piece;
    const auto left_of = [&](int pair) { return gemm.a[pair] + task * gemm.a_task[pair] + group * gemm.a_group; };
    const auto right_of = [&](int pair) { return gemm.b[pair] + task * gemm.b_task[pair] + group * gemm.b_group; };
    const int first_step = chunk * gemm.steps_chunk;
    const int left_over = steps - first_step;
    tile.clear();
    multiply_piece(
        tile, left, right, left_of(0), right_of(0), [&](const T*& a, const T*& b) { a = left_of(1), b = right_of(1); },
        gemm.pairs, first_step, left_over < gemm.steps_chunk ? left_over : gemm.steps_chunk, shared);
    // Only now: an address kept over the loop would cost its registers there.
    T* const out =
        gemm.out + out_task * gemm.out_task + piece_group * gemm.out_piece + group * gemm.out_group + first_column;
    tile.for_each_run([&](int row, int column, const T(&run)[Tile::kRun]) {
      if (first_row + row >= rows || first_column + column >= gemm.columns) return;
      T* const to = out + map(first_row + row) + column;
#pragma unroll
      for (int at = 0; at < Tile::kRun; at += kTogether) {
        if (first_column + column + at >= gemm.columns) break;
        Together<T, kTogether> sums;
        if (i > 0) sums = load_as<Together<T, kTogether>>(to + at);
#pragma unroll
        for (int l = 0; l < kTogether; ++l) sums.v[l] = i > 0 ? sums.v[l] + run[at + l] : run[at + l];
        if constexpr (Write::kTakesStep) {
          if (write.here && i + 1 == gemm.pieces_here) write.take(sums, to + at);
        }
        store_as(to + at, sums);
      }
    });
    if constexpr (Write::kTakesMoments) {  // there is one piece then
      if (write.to != nullptr) write.take(tile, place[0], rows, gemm.columns, shared);
    }
  }
  if constexpr (kJoins<Tile>) {
    if (gemm.joined == nullptr) return true;
    __syncthreads();  // place has been written, were there no products
    const int ticket = place[0].ticket;
    if (!is_last_block(gemm.tickets + ticket, static_cast<unsigned>(gemm.piece_groups))) return false;
    join_parts<Tile, kVectorOut>(gemm, place[0], rows, map, write);
  }
  return true;
}

}  // namespace innerloop::kernels::cuda
