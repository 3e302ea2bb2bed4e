// Matrix product by register tiles: kRows rows of `a` by kVectors vectors of `b` columns, over a slice of k.
//
// Every output element is a sum over segments: (task, pair, slice of k), in that order. Where the output has few tiles
// and k is long, the segments are dealt to a fixed number of splits whose partial outputs are joined in order, so that
// the threads have work; the cut depends on the shape alone. A slice is kSlice long, which also bounds the rounding
// error: it grows with kSlice + segments instead of with k.
//
// A transposed `b` is packed into a panel, slice by slice; a transposed `a` is read with a stride, one element at a time
// as ever.
#include "kernels/matmul.h"

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/lanes.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

inline constexpr std::int64_t kSlice = 256;
inline constexpr std::int64_t kRowBlock = 240;
inline constexpr std::int64_t kPanelVectors = 4;  // a column block is this many vectors

template <class T>
struct Operand {
  const T* data;
  std::int64_t row, column;  ///< strides of op(operand)

  Operand(const ConstView& v, Transpose transpose, std::int64_t task) {
    const std::int64_t rows = v.shape[1], columns = v.shape[2];
    data = v.as<T>() + (v.shape[0] == 1 ? 0 : task * rows * columns);
    row = transpose == Transpose::kNo ? columns : 1;
    column = transpose == Transpose::kNo ? 1 : columns;
  }
};

/// What a tile does with what stands in the output: the first segment of a sum writes, the others add.
enum class Start { kFresh, kAdd };

/// out[kRows, n] = (or +=) a[kRows, depth] b[depth, n], n at most kVectors vectors, the last of them possibly
/// partial (a full one goes the same way: half the code, and masks cost next to nothing).
template <int kRows, int kVectors, class T>
IL_INLINE void tile(Start start, const FirstLanes<T>& last, const T* a, std::int64_t a_row, std::int64_t a_column,
                    const T* b, std::int64_t ldb, std::int64_t depth, T* out, std::int64_t ldo) {
  using V = Vec<T>;
  V acc[kRows][kVectors];
  for (int i = 0; i < kRows; ++i)
    for (int j = 0; j < kVectors; ++j) acc[i][j] = V::zero();
  for (std::int64_t k = 0; k < depth; ++k) {
    V bv[kVectors];
    for (int j = 0; j < kVectors; ++j) {
      const T* from = b + k * ldb + j * V::kLanes;
      bv[j] = j + 1 < kVectors ? V::load(from) : last.load(from);
    }
    for (int i = 0; i < kRows; ++i) {
      const V av = V::broadcast(a[i * a_row + k * a_column]);
      for (int j = 0; j < kVectors; ++j) acc[i][j] = fma(av, bv[j], acc[i][j]);
    }
  }
  for (int i = 0; i < kRows; ++i)
    for (int j = 0; j < kVectors; ++j) {
      T* to = out + i * ldo + j * V::kLanes;
      if (j + 1 < kVectors) {
        (start == Start::kFresh ? acc[i][j] : V::load(to) + acc[i][j]).store(to);
      } else {
        last.store(to, start == Start::kFresh ? acc[i][j] : last.load(to) + acc[i][j]);
      }
    }
}

/// The same for `rows` < kRows + 1 rows: the tile of that very height.
template <int kRows, int kVectors, class T>
IL_INLINE void short_tile(std::int64_t rows, Start start, const FirstLanes<T>& last, const T* a, std::int64_t a_row,
                          std::int64_t a_column, const T* b, std::int64_t ldb, std::int64_t depth, T* out,
                          std::int64_t ldo) {
  if constexpr (kRows > 0) {
    if (rows == kRows) {
      tile<kRows, kVectors>(start, last, a, a_row, a_column, b, ldb, depth, out, ldo);
    } else {
      short_tile<kRows - 1, kVectors>(rows, start, last, a, a_row, a_column, b, ldb, depth, out, ldo);
    }
  }
}

/// The same for any number of rows.
template <int kVectors, class T>
void tiles(Start start, const FirstLanes<T>& last, const T* a, std::int64_t a_row, std::int64_t a_column, const T* b,
           std::int64_t ldb, std::int64_t depth, T* out, std::int64_t ldo, std::int64_t rows) {
  // Heights that leave room for the operands in 16 registers; in 32 they hide the latency of the multiply-add as well.
  constexpr int kRows = kVectors == 1 ? 6 : (kVectors == 2 ? 4 : 3);
  std::int64_t i = 0;
  for (; i + kRows <= rows; i += kRows)
    tile<kRows, kVectors>(start, last, a + i * a_row, a_row, a_column, b, ldb, depth, out + i * ldo, ldo);
  short_tile<kRows - 1, kVectors>(rows - i, start, last, a + i * a_row, a_row, a_column, b, ldb, depth, out + i * ldo,
                                  ldo);
}

template <class T>
IL_INLINE void tiles_of(int vectors, Start start, const FirstLanes<T>& last, const T* a, std::int64_t a_row,
                        std::int64_t a_column, const T* b, std::int64_t ldb, std::int64_t depth, T* out,
                        std::int64_t ldo, std::int64_t rows) {
  switch (vectors) {
    case 1:
      return tiles<1>(start, last, a, a_row, a_column, b, ldb, depth, out, ldo, rows);
    case 2:
      return tiles<2>(start, last, a, a_row, a_column, b, ldb, depth, out, ldo, rows);
    case 3:
      return tiles<3>(start, last, a, a_row, a_column, b, ldb, depth, out, ldo, rows);
    default:
      return tiles<4>(start, last, a, a_row, a_column, b, ldb, depth, out, ldo, rows);
  }
}

template <class T>
class Product {
 public:
  Product(const Matmul& kernel, Context& context) : k_(kernel), context_(context) {
    const Shape& a = k_.a[0].shape;
    const Shape& out = k_.out.shape;
    IL_CHECK(a.rank() == 3 && k_.b[0].shape.rank() == 3 && out.rank() == 3,
             "matmul: operands must be [T, rows, columns]");
    m_ = out[1];
    n_ = out[2];
    depth_ = k_.transpose_a == Transpose::kNo ? a[2] : a[1];
    pairs_ = k_.a[1] ? 2 : 1;
    std::int64_t tasks = 1;
    for (int p = 0; p < pairs_; ++p) tasks = larger(tasks, larger(k_.a[p].shape[0], k_.b[p].shape[0]));
    outputs_ = out[0];
    tasks_in_sum_ = outputs_ == 1 ? tasks : 1;
    slices_ = ceil_div(depth_, kSlice);
    segments_ = tasks_in_sum_ * pairs_ * slices_;
  }

  void run() {
    if (outputs_ * m_ * n_ == 0) return;
    const std::int64_t row_blocks = ceil_div(m_, kRowBlock), column_blocks = ceil_div(n_, kColumns);
    const std::int64_t blocks = row_blocks * column_blocks;
    // Splits pay where the blocks of one output are few and each is long.
    const std::int64_t splits = blocks >= 8 || segments_ < 16 ? 1 : smaller(16, segments_ / 8);
    const Scratch<T> scratch(context_, splits == 1 ? 1 : outputs_ * splits * m_ * n_);
    context_.threads().parallel_for(outputs_ * splits * blocks, [&](std::int64_t i) {
      const std::int64_t block = i % blocks, split = i / blocks % splits, output = i / blocks / splits;
      T* base = splits == 1 ? k_.out.template as<T>() + output * m_ * n_
                            : scratch.data() + (output * splits + split) * m_ * n_;
      compute(output, split * segments_ / splits, (split + 1) * segments_ / splits, block / column_blocks * kRowBlock,
              block % column_blocks * kColumns, base);
    });
    if (splits == 1) return;
    const std::int64_t size = m_ * n_;
    parallel_chunks(context_, outputs_ * size, kChunkElements, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const T* part = scratch.data() + i / size * splits * size + i % size;
        double sum = 0;
        for (std::int64_t s = 0; s < splits; ++s) sum += static_cast<double>(part[s * size]);
        k_.out.template as<T>()[i] = static_cast<T>(sum);
      }
    });
  }

 private:
  static constexpr std::int64_t kColumns = kPanelVectors * Vec<T>::kLanes;

  /// out[rows from m0, columns from n0] = the sum of the segments [begin, end).
  void compute(std::int64_t output, std::int64_t begin, std::int64_t end, std::int64_t m0, std::int64_t n0,
               T* out) const {
    const std::int64_t rows = smaller(kRowBlock, m_ - m0), columns = smaller(kColumns, n_ - n0);
    T* corner = out + m0 * n_ + n0;
    if (begin == end)  // an empty sum
      for (std::int64_t i = 0; i < rows; ++i)
        for (std::int64_t j = 0; j < columns; ++j) corner[i * n_ + j] = 0;
    alignas(64) T panel[kSlice * kColumns];
    for (std::int64_t s = begin; s < end; ++s) {
      const std::int64_t k0 = s % slices_ * kSlice, depth = smaller(kSlice, depth_ - k0);
      const int pair = static_cast<int>(s / slices_ % pairs_);
      const std::int64_t task = outputs_ == 1 ? s / slices_ / pairs_ : output;
      const Operand<T> a(k_.a[pair], k_.transpose_a, task), b(k_.b[pair], k_.transpose_b, task);
      const T* from = b.data + k0 * b.row + n0 * b.column;
      std::int64_t ldb = b.row;
      if (k_.transpose_b == Transpose::kYes) {
        for (std::int64_t j = 0; j < columns; ++j)
          for (std::int64_t k = 0; k < depth; ++k) panel[k * kColumns + j] = from[k + j * b.column];
        from = panel;
        ldb = kColumns;
      }
      const T* first = a.data + m0 * a.row + k0 * a.column;
      const int vectors = static_cast<int>(ceil_div(columns, Vec<T>::kLanes));
      const FirstLanes<T> last(static_cast<int>(columns - (vectors - 1) * Vec<T>::kLanes));
      tiles_of(vectors, s == begin ? Start::kFresh : Start::kAdd, last, first, a.row, a.column, from, ldb, depth,
               corner, n_, rows);
    }
  }

  const Matmul& k_;
  Context& context_;
  std::int64_t m_, n_, depth_, outputs_, tasks_in_sum_, slices_, segments_;
  int pairs_;
};

void run_here(const Matmul& k, Context& context) {
  with_float(k.out.dtype, "matmul", [&](auto tag) { Product<decltype(tag)>(k, context).run(); });
}

IL_REGISTER_KERNEL(Matmul);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
