// Reductions. Axes that are kept or reduced alike are joined, which leaves alternating axes; the innermost one decides:
//   kept     "columns": whole lines of it are added into a line of float64 accumulators
//   reduced  "rows": contiguous lines of it are folded into a fixed set of float64 lanes
// Sums are float64 throughout: the conversion is hidden behind the memory, and the result is the rounded true sum but
// for an error far below one epsilon of its magnitude.
#include "kernels/reduce.h"

#include "kernels/cpu/dispatch.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

struct Add {
  static constexpr double kIdentity = 0;
  IL_INLINE static double fold(double a, double b) { return a + b; }
};

/// A NaN wins over every number.
struct Maximum {
  static constexpr double kIdentity = -__builtin_inf();
  IL_INLINE static double fold(double a, double b) { return (b > a) | (b != b) ? b : a; }
};

/// Axes of one kind, innermost first.
struct Axes {
  int rank = 0;
  std::int64_t extent[Shape::kMaxRank], stride[Shape::kMaxRank];
  std::int64_t count = 1;

  void push(std::int64_t n, std::int64_t step) {
    extent[rank] = n;
    stride[rank++] = step;
    count *= n;
  }
  IL_INLINE std::int64_t offset(std::int64_t index) const {
    std::int64_t at = 0;
    for (int i = 0; i < rank; ++i) {
      at += index % extent[i] * stride[i];
      index /= extent[i];
    }
    return at;
  }
};

struct Plan {
  bool innermost_reduced = false;
  std::int64_t line = 1;  ///< extent of the innermost joined axis
  Axes kept, reduced;     ///< the others

  Plan(const Shape& x, const Shape& y) {
    std::int64_t step = 1, extent = 1;
    bool first = true, started = false, kind = false;
    const auto close = [&](std::int64_t begin_step) {
      if (first) {
        innermost_reduced = kind;
        line = extent;
        first = false;
      } else {
        (kind ? reduced : kept).push(extent, begin_step);
      }
    };
    std::int64_t begin_step = 1;
    for (int i = 1; i <= x.rank(); ++i) {
      if (x[-i] == 1) continue;
      const bool is_reduced = y[-i] == 1;
      if (started && is_reduced != kind) {
        close(begin_step);
        begin_step = step;
        extent = 1;
      }
      started = true;
      kind = is_reduced;
      extent *= x[-i];
      step *= x[-i];
    }
    close(begin_step);
  }
};

inline constexpr int kFoldLanes = 32;
inline constexpr std::int64_t kColumnBlock = 512;  // float64 accumulators of a line, on the stack

/// The fold of x[0, n): lane j takes the elements j, j + kFoldLanes, ..., and the lanes are then joined pairwise, in an
/// order that is the same on every target.
template <class Op, class T>
double fold_row(const T* x, std::int64_t n) {
  double lane[kFoldLanes];
  for (double& l : lane) l = Op::kIdentity;
  std::int64_t i = 0;
  for (; i + kFoldLanes <= n; i += kFoldLanes)
    for (int j = 0; j < kFoldLanes; ++j) lane[j] = Op::fold(lane[j], static_cast<double>(x[i + j]));
  for (int j = 0; i < n; ++i, ++j) lane[j] = Op::fold(lane[j], static_cast<double>(x[i]));
  for (int width = kFoldLanes / 2; width > 0; width /= 2)
    for (int j = 0; j < width; ++j) lane[j] = Op::fold(lane[j], lane[j + width]);
  return lane[0];
}

/// One output for each kept index, times `scale`; the pieces of its rows are cut by shape and joined in order.
template <class Op, class T>
void reduce_rows(const Plan& plan, const T* x, T* y, double scale, Context& context) {
  const std::int64_t piece = smaller(plan.line, kChunkElements), pieces = ceil_div(plan.line, piece);
  const std::int64_t rows = plan.reduced.count * pieces;  // pieces of rows that make one output
  const std::int64_t per_part = larger(1, kChunkElements / piece), parts = ceil_div(rows, per_part);
  const auto part_of = [&](std::int64_t output, std::int64_t part) {
    const T* base = x + plan.kept.offset(output);
    double sum = Op::kIdentity;
    for (std::int64_t i = part * per_part; i < smaller(rows, (part + 1) * per_part); ++i) {
      const std::int64_t first = i % pieces * piece;
      sum = Op::fold(sum,
                     fold_row<Op>(base + plan.reduced.offset(i / pieces) + first, smaller(piece, plan.line - first)));
    }
    return sum;
  };
  if (parts == 1) {
    const std::int64_t outputs_per_chunk = larger(1, kChunkElements / (plan.line * plan.reduced.count));
    parallel_chunks(context, plan.kept.count, outputs_per_chunk, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t o = begin; o < end; ++o) y[o] = static_cast<T>(scale * part_of(o, 0));
    });
    return;
  }
  const Scratch<double> scratch(context, plan.kept.count * parts);
  double* partial = scratch.data();
  context.threads().parallel_for(plan.kept.count * parts,
                                 [&](std::int64_t i) { partial[i] = part_of(i / parts, i % parts); });
  for (std::int64_t o = 0; o < plan.kept.count; ++o) {
    double sum = partial[o * parts];
    for (std::int64_t p = 1; p < parts; ++p) sum = Op::fold(sum, partial[o * parts + p]);
    y[o] = static_cast<T>(scale * sum);
  }
}

/// acc[0, n) folded with rows [begin, end) of x at column `k`; four rows a turn, to spare the accumulators' traffic.
template <class Op, class T>
IL_INLINE void fold_columns(const Axes& reduced, const T* x, std::int64_t begin, std::int64_t end, std::int64_t n,
                            double* acc) {
  for (std::int64_t k = 0; k < n; ++k) acc[k] = Op::kIdentity;
  std::int64_t i = begin;
  for (; i + 4 <= end; i += 4) {
    const T *a = x + reduced.offset(i), *b = x + reduced.offset(i + 1), *c = x + reduced.offset(i + 2),
            *d = x + reduced.offset(i + 3);
    for (std::int64_t k = 0; k < n; ++k)
      acc[k] = Op::fold(acc[k], Op::fold(Op::fold(static_cast<double>(a[k]), static_cast<double>(b[k])),
                                         Op::fold(static_cast<double>(c[k]), static_cast<double>(d[k]))));
  }
  for (; i < end; ++i) {
    const T* a = x + reduced.offset(i);
    for (std::int64_t k = 0; k < n; ++k) acc[k] = Op::fold(acc[k], static_cast<double>(a[k]));
  }
}

/// A line of outputs for each kept index.
template <class Op, class T>
void reduce_columns(const Plan& plan, const T* x, T* y, double scale, Context& context) {
  const std::int64_t width = smaller(plan.line, kColumnBlock), blocks = ceil_div(plan.line, width);
  const std::int64_t rows = plan.reduced.count;
  const std::int64_t per_part = larger(1, kChunkElements / width), parts = ceil_div(rows, per_part);
  const Scratch<double> scratch(context, parts == 1 ? 1 : plan.kept.count * parts * plan.line);
  context.threads().parallel_for(plan.kept.count * parts * blocks, [&](std::int64_t i) {
    const std::int64_t block = i % blocks, part = i / blocks % parts, o = i / blocks / parts;
    const std::int64_t k = block * width, n = smaller(width, plan.line - k);
    double acc[kColumnBlock];
    fold_columns<Op>(plan.reduced, x + plan.kept.offset(o) + k, part * per_part, smaller(rows, (part + 1) * per_part),
                     n, acc);
    if (parts == 1) {
      for (std::int64_t j = 0; j < n; ++j) y[o * plan.line + k + j] = static_cast<T>(scale * acc[j]);
    } else {
      double* to = scratch.data() + (o * parts + part) * plan.line + k;
      for (std::int64_t j = 0; j < n; ++j) to[j] = acc[j];
    }
  });
  if (parts == 1) return;
  for (std::int64_t o = 0; o < plan.kept.count; ++o) {
    double* sum = scratch.data() + o * parts * plan.line;
    for (std::int64_t p = 1; p < parts; ++p)
      for (std::int64_t k = 0; k < plan.line; ++k) sum[k] = Op::fold(sum[k], sum[p * plan.line + k]);
    for (std::int64_t k = 0; k < plan.line; ++k) y[o * plan.line + k] = static_cast<T>(scale * sum[k]);
  }
}

template <class Op>
void reduce(const ConstView& x, const View& y, double scale, const char* op, Context& context) {
  IL_CHECK(x.shape.rank() == y.shape.rank(), "{}: the ranks of {} and {} differ", op, x.shape.to_string(),
           y.shape.to_string());
  with_float(x.dtype, op, [&](auto tag) {
    using T = decltype(tag);
    T* to = y.as<T>();
    if (x.shape.numel() == 0) {
      for (std::int64_t i = 0; i < y.shape.numel(); ++i) to[i] = static_cast<T>(Op::kIdentity);
      return;
    }
    const Plan plan(x.shape, y.shape);
    if (plan.innermost_reduced) {
      reduce_rows<Op>(plan, x.as<T>(), to, scale, context);
    } else {
      reduce_columns<Op>(plan, x.as<T>(), to, scale, context);
    }
  });
}

void run_here(const ReduceSum& k, Context& context) { reduce<Add>(k.x, k.y, k.scale, "reduce_sum", context); }
void run_here(const ReduceMax& k, Context& context) { reduce<Maximum>(k.x, k.y, 1, "reduce_max", context); }

IL_REGISTER_KERNEL(ReduceSum);
IL_REGISTER_KERNEL(ReduceMax);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
