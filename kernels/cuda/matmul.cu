// Matrix product by tiles in shared memory: a block has a tile of the output, 16 x 16 threads each kRowsOf x kColumnsOf
// elements of it, and walks along k.
//
// Heads of networks are thin: 5 to 20 classes on one side, up to 100 samples on another, thousands of features on the
// third. So a tile is 64 or 16 wide on either side, as the output asks, and where an output has few tiles its sum is
// split between blocks whose partial outputs a second launch joins in order. The sum of an output element runs over
// segments (task, pair, slice of k), in that order; a slice is short and is added up apart, so that the rounding error
// grows with the length of a slice plus the number of slices, not with k. The cut into splits depends on the shape of
// one output alone: its bits are the same however many tasks there are.
#include "kernels/matmul.h"

#include <algorithm>

#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/dispatch.h"
#include "kernels/cuda/pack.cuh"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

inline constexpr int kSide = 16;                          // threads along each side of a tile
inline constexpr int kThreads = kSide * kSide;
inline constexpr int kDepth = 32;                         // of k, in shared memory at once
inline constexpr std::int64_t kSlice = 4 * kDepth;
inline constexpr std::int64_t kEnoughTiles = 64;          // an output with so many tiles is not split
inline constexpr std::int64_t kMaxSplits = 32;

/// Elements of an access to a tile: 16 bytes, of float64, too, which otherwise needs more registers than there are.
template <class T>
inline constexpr int kVector = 16 / static_cast<int>(sizeof(T));

/// One operand as the tiles see it: [outer, k], outer being a row of op(a) or a column of op(b).
template <class T>
struct Side {
  const T* data;
  std::int64_t task, outer, inner;  ///< strides; of `outer` and `inner` (k), one is 1
  Packs packs;                      ///< whether the axis of stride 1 may be read in packs
};

template <class T>
struct Problem {
  Side<T> a[2], b[2];
  std::int64_t outputs, m, n, depth;
  std::int64_t slices, pairs, segments;  ///< segments: of one output's sum
  std::int64_t per_split, splits;
  T* out;  ///< [outputs, splits, m, n]
};

/// The elements [begin, begin + kTile) x [k0, k0 + kDepth) of an operand on their way to shared memory. What lies
/// outside is zero. Loads come a step before they are needed, so that they travel while the tile before is multiplied.
template <class T, int kTile>
struct Staged {
  static constexpr int kCount = kTile * kDepth / kThreads;  // elements a thread
  T value[kCount];

  /// Neighbouring threads are neighbours in memory: along k where its stride is 1, else along the tile.
  /// at(i): outer and inner position of the thread's i-th pack of `width` elements.
  struct Place {
    int outer, inner;
  };
  __device__ static Place place(const Side<T>& side, int i, int width) {
    const int index = (i * kThreads + static_cast<int>(threadIdx.x)) * width;
    if (side.inner == 1) return {index / kDepth, index % kDepth};
    return {index % kTile, index / kTile};
  }
  /// An access of kWidth elements a thread; `extent` of outer.
  template <int kWidth>
  __device__ void load_width(const Side<T>& side, const T* from, std::int64_t begin, std::int64_t extent,
                             std::int64_t k0, std::int64_t k_end) {
#pragma unroll
    for (int i = 0; i < kCount / kWidth; ++i) {
      const Place at = place(side, i, kWidth);
      const std::int64_t outer = begin + at.outer, inner = k0 + at.inner;
      Pack<T, kWidth> pack{};
      if (outer < extent && inner < k_end) pack = load_pack<kWidth>(from + outer * side.outer + inner * side.inner);
#pragma unroll
      for (int j = 0; j < kWidth; ++j) value[i * kWidth + j] = pack.lane[j];
    }
  }
  __device__ void load(const Side<T>& side, const T* from, std::int64_t begin, std::int64_t extent, std::int64_t k0,
                       std::int64_t k_end) {
    if constexpr (kCount % kVector<T> == 0)
      if (side.packs == Packs::kFit) return load_width<kVector<T>>(side, from, begin, extent, k0, k_end);
    load_width<1>(side, from, begin, extent, k0, k_end);
  }

  template <int kWidth, int kPitch>
  __device__ void store_width(const Side<T>& side, T (*tile)[kPitch]) const {
#pragma unroll
    for (int i = 0; i < kCount / kWidth; ++i) {
      const Place at = place(side, i, kWidth);
#pragma unroll
      for (int j = 0; j < kWidth; ++j) {
        if (side.inner == 1)
          tile[at.inner + j][at.outer] = value[i * kWidth + j];
        else
          tile[at.inner][at.outer + j] = value[i * kWidth + j];
      }
    }
  }
  template <int kPitch>
  __device__ void store(const Side<T>& side, T (*tile)[kPitch]) const {
    if constexpr (kCount % kVector<T> == 0)
      if (side.packs == Packs::kFit) return store_width<kVector<T>>(side, tile);
    store_width<1>(side, tile);
  }
};

/// A thread's kCount neighbouring elements of a row of a tile.
template <int kCount, class T>
__device__ __forceinline__ void read_row(const T* row, T (&to)[kCount]) {
  constexpr int kWidth = kCount < kVector<T> ? kCount : kVector<T>;
#pragma unroll
  for (int i = 0; i < kCount; i += kWidth) {
    const auto pack = load_pack<kWidth>(row + i);
#pragma unroll
    for (int j = 0; j < kWidth; ++j) to[i + j] = pack.lane[j];
  }
}

/// blockIdx: x a tile of an output, output after output; y a split.
template <class T, int kRowsOf, int kColumnsOf>
__global__ void __launch_bounds__(kThreads) product_kernel(Problem<T> p) {
  grid_dependency_sync();
  constexpr int kTileM = kSide * kRowsOf, kTileN = kSide * kColumnsOf;
  // Rows of a tile are 16 bytes longer than they need be, so that threads that write along k meet in fewer banks.
  constexpr int kPitchM = kTileM + kVector<T>, kPitchN = kTileN + kVector<T>;
  IL_SHARED(T, tile_a, [kDepth][kPitchM]);
  IL_SHARED(T, tile_b, [kDepth][kPitchN]);
  const std::int64_t tiles_n = (p.n + kTileN - 1) / kTileN, line = blockIdx.x / tiles_n;
  const std::int64_t tiles_m = (p.m + kTileM - 1) / kTileM, output = line / tiles_m;
  const std::int64_t m0 = (line - output * tiles_m) * kTileM, n0 = (blockIdx.x - line * tiles_n) * kTileN;
  const int row = static_cast<int>(threadIdx.x) / kSide * kRowsOf;
  const int column = static_cast<int>(threadIdx.x) % kSide * kColumnsOf;
  const std::int64_t first = blockIdx.y * p.per_split, last = min(p.segments, first + p.per_split);

  Staged<T, kTileM> next_a;
  Staged<T, kTileN> next_b;
  const auto fetch = [&](std::int64_t segment, std::int64_t step) {
    const std::int64_t slice = segment % p.slices, pair = segment / p.slices % p.pairs;
    const std::int64_t task = p.outputs == 1 ? segment / p.slices / p.pairs : output;
    const std::int64_t k0 = slice * kSlice + step * kDepth, k_end = min(p.depth, (slice + 1) * kSlice);
    const Side<T>&a = p.a[pair], &b = p.b[pair];
    next_a.load(a, a.data + task * a.task, m0, p.m, k0, k_end);
    next_b.load(b, b.data + task * b.task, n0, p.n, k0, k_end);
  };
  const auto steps_of = [&](std::int64_t segment) {
    const std::int64_t left = p.depth - segment % p.slices * kSlice;
    return (min(left, kSlice) + kDepth - 1) / kDepth;
  };

  T total[kRowsOf][kColumnsOf] = {};
  if (first < last) fetch(first, 0);
  for (std::int64_t segment = first; segment < last; ++segment) {
    const std::int64_t pair = segment / p.slices % p.pairs, steps = steps_of(segment);
    T sum[kRowsOf][kColumnsOf] = {};
    for (std::int64_t step = 0; step < steps; ++step) {
      next_a.store(p.a[pair], tile_a);
      next_b.store(p.b[pair], tile_b);
      __syncthreads();
      if (step + 1 < steps)
        fetch(segment, step + 1);
      else if (segment + 1 < last)
        fetch(segment + 1, 0);
#pragma unroll 8
      for (int k = 0; k < kDepth; ++k) {
        T x[kRowsOf], y[kColumnsOf];
        read_row(&tile_a[k][row], x);
        read_row(&tile_b[k][column], y);
#pragma unroll
        for (int i = 0; i < kRowsOf; ++i)
#pragma unroll
          for (int j = 0; j < kColumnsOf; ++j) sum[i][j] += x[i] * y[j];
      }
      __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < kRowsOf; ++i)
#pragma unroll
      for (int j = 0; j < kColumnsOf; ++j) total[i][j] += sum[i][j];
  }
  T* const out = p.out + (output * p.splits + blockIdx.y) * p.m * p.n;
#pragma unroll
  for (int i = 0; i < kRowsOf; ++i)
#pragma unroll
    for (int j = 0; j < kColumnsOf; ++j)
      if (m0 + row + i < p.m && n0 + column + j < p.n) out[(m0 + row + i) * p.n + n0 + column + j] = total[i][j];
}

/// out[o, i] = sum over splits of partial[o, split, i], in float64.
template <class T>
struct JoinBody {
  const T* partial;
  T* out;
  std::int64_t size, splits;  ///< size: elements of an output
  template <int kWidth>
  __device__ void at(std::int64_t i) const {
    const std::int64_t output = i / size;
    const T* const from = partial + output * splits * size + (i - output * size);
    double sum[kWidth] = {};
#pragma unroll 4
    for (std::int64_t s = 0; s < splits; ++s) {
      const auto value = load_pack<kWidth>(from + s * size);
      for (int j = 0; j < kWidth; ++j) sum[j] += static_cast<double>(value.lane[j]);
    }
    Pack<T, kWidth> result;
    for (int j = 0; j < kWidth; ++j) result.lane[j] = static_cast<T>(sum[j]);
    store_pack(out + i, result);
  }
};

/// `outer_axis`: the axis of the operand in memory, 1 or 2, that the tiles call outer.
template <class T>
Side<T> side_of(const ConstView& v, int outer_axis) {
  const std::int64_t columns = v.shape[2];
  return {.data = v.as<T>(),
          .task = v.shape[0] == 1 ? 0 : v.shape[1] * columns,
          .outer = outer_axis == 1 ? columns : 1,
          .inner = outer_axis == 1 ? 1 : columns,
          .packs = packs_fit({v.data}, kVector<T>, {columns})};
}

template <class T>
void product(const Matmul& k, Context& context) {
  const Shape& out = k.out.shape;
  Problem<T> p{};
  p.outputs = out[0], p.m = out[1], p.n = out[2];
  p.depth = k.transpose_a == Transpose::kNo ? k.a[0].shape[2] : k.a[0].shape[1];
  p.pairs = k.a[1] ? 2 : 1;
  std::int64_t tasks = 1;
  for (int i = 0; i < p.pairs; ++i) {
    p.a[i] = side_of<T>(k.a[i], k.transpose_a == Transpose::kNo ? 1 : 2);
    p.b[i] = side_of<T>(k.b[i], k.transpose_b == Transpose::kNo ? 2 : 1);
    tasks = std::max({tasks, k.a[i].shape[0], k.b[i].shape[0]});
  }
  const std::int64_t size = p.m * p.n;
  if (p.outputs * size == 0) return;
  const std::int64_t rows_of = p.m > kSide ? 4 : 1, columns_of = p.n > 2 * kSide ? 4 : 1;
  const auto ceil_div = [](std::int64_t x, std::int64_t y) { return (x + y - 1) / y; };
  const std::int64_t tiles = ceil_div(p.m, kSide * rows_of) * ceil_div(p.n, kSide * columns_of);
  p.slices = ceil_div(p.depth, kSlice);
  p.segments = (p.outputs == 1 ? tasks : 1) * p.pairs * p.slices;
  const std::int64_t wanted = std::clamp<std::int64_t>(kEnoughTiles / tiles, 1, kMaxSplits);
  p.per_split = std::max<std::int64_t>(1, ceil_div(p.segments, wanted));
  p.splits = std::max<std::int64_t>(1, ceil_div(p.segments, p.per_split));
  std::shared_ptr<void> scratch;
  if (p.splits > 1)
    scratch = context.arena().allocate(static_cast<std::size_t>(p.outputs * p.splits * size) * sizeof(T));
  p.out = p.splits > 1 ? static_cast<T*>(scratch.get()) : k.out.as<T>();
  const dim3 grid(static_cast<unsigned>(p.outputs * tiles), static_cast<unsigned>(p.splits));
  const auto start = [&](void (*kernel)(Problem<T>)) {
    launch(kernel, grid, dim3(kThreads), 0, stream_of(context), p);
  };
  if (rows_of == 4)
    start(columns_of == 4 ? product_kernel<T, 4, 4> : product_kernel<T, 4, 1>);
  else
    start(columns_of == 4 ? product_kernel<T, 1, 4> : product_kernel<T, 1, 1>);
  if (p.splits == 1) return;
  for_each_pack<T>(stream_of(context), p.outputs * size, packs_fit({p.out, k.out.data}, kPack<T>, {size}),
                   JoinBody<T>{p.out, k.out.as<T>(), size, p.splits});
}

void run_here(const Matmul& k, Context& context) {
  IL_CHECK(k.a[0].shape.rank() == 3 && k.b[0].shape.rank() == 3 && k.out.shape.rank() == 3,
           "matmul: operands must be [T, rows, columns]");
  with_float(k.out.dtype, "matmul", [&]<class T>(T) { product<T>(k, context); });
}

IL_REGISTER_KERNEL(Matmul);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
