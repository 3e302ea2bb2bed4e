#include "kernels/cuda/cublas/gemm_call.h"

#include <algorithm>

namespace innerloop::kernels::cublas {
namespace {

struct Extents {
  std::int64_t tasks = 1;  ///< the largest task extent of any operand
  std::int64_t m = 0, n = 0, k = 0;
};

const char* advance(const void* data, std::int64_t elements, DType dtype) {
  // Addresses may be null while a program is only being planned; null plus 0 is defined, null plus more is not asked
  // for.
  const auto bytes = elements * static_cast<std::int64_t>(size_of(dtype));
  return bytes == 0 ? static_cast<const char*>(data) : static_cast<const char*>(data) + bytes;
}

void check_pair(const Matmul& z, int i, Extents& e) {
  const ConstView &a = z.a[i], &b = z.b[i];
  const auto describe = [&] {
    return fmt::format("matmul: {}{} times {}{} into {}", a.shape.to_string(),
                       z.transpose_a == Transpose::kYes ? "^T" : "", b.shape.to_string(),
                       z.transpose_b == Transpose::kYes ? "^T" : "", z.out.shape.to_string());
  };
  IL_CHECK(a.shape.rank() == 3 && b.shape.rank() == 3 && z.out.shape.rank() == 3,
           "{}: all three must be [T, rows, columns]", describe());
  IL_CHECK(is_floating(a.dtype) && b.dtype == a.dtype && z.out.dtype == a.dtype,
           "{}: dtypes {}, {} and {} must all be f32 or all f64; convert them first", describe(), name_of(a.dtype),
           name_of(b.dtype), name_of(z.out.dtype));
  const bool flip_a = z.transpose_a == Transpose::kYes, flip_b = z.transpose_b == Transpose::kYes;
  const std::int64_t m = a.shape[flip_a ? 2 : 1], k = a.shape[flip_a ? 1 : 2];
  const std::int64_t kb = b.shape[flip_b ? 2 : 1], n = b.shape[flip_b ? 1 : 2];
  IL_CHECK(k == kb && m == z.out.shape[1] && n == z.out.shape[2] && (i == 0 || k == e.k), "{}: they do not fit",
           describe());
  e.m = m, e.n = n, e.k = k;
  for (const std::int64_t t : {a.shape[0], b.shape[0], z.out.shape[0]}) {
    IL_CHECK(t == 1 || e.tasks == 1 || t == e.tasks, "{}: a task extent is neither {} nor 1", describe(), e.tasks);
    if (t != 1) e.tasks = t;
  }
}

}  // namespace

std::vector<GemmCall> gemm_calls(const Matmul& z) {
  const bool second_a = z.a[1].shape.rank() > 0, second_b = z.b[1].shape.rank() > 0;
  IL_CHECK(second_a == second_b, "matmul: one operand of the second pair is missing; give both or neither");
  const int pairs = second_a ? 2 : 1;
  Extents e;
  for (int i = 0; i < pairs; ++i) check_pair(z, i, e);
  std::vector<GemmCall> calls;
  if (z.out.shape.numel() == 0 || e.k == 0 || e.tasks == 0) return calls;

  const std::int64_t outputs = z.out.shape[0];
  const bool sums_tasks = outputs == 1 && e.tasks > 1;
  for (int i = 0; i < pairs; ++i) {
    const ConstView &a = z.a[i], &b = z.b[i];
    const std::int64_t size_a = e.m * e.k, size_b = e.k * e.n;
    const bool tasks_a = a.shape[0] > 1, tasks_b = b.shape[0] > 1;
    GemmCall call{.dtype = z.out.dtype,
                  .op_a = z.transpose_b,
                  .op_b = z.transpose_a,
                  .m = e.n,
                  .n = e.m,
                  .k = e.k,
                  .a = b.data,
                  .b = a.data,
                  .c = z.out.data,
                  .lda = b.shape[2],
                  .ldb = a.shape[2],
                  .ldc = e.n,
                  .beta = i == 0 ? 0.0 : 1.0};
    if (!sums_tasks) {
      if (outputs > 1 && tasks_a && !tasks_b && z.transpose_a == Transpose::kNo) {
        call.n = outputs * e.m;
      } else {
        call.batch = outputs;
        call.stride_a = tasks_b ? size_b : 0;
        call.stride_b = tasks_a ? size_a : 0;
        call.stride_c = e.m * e.n;
      }
      calls.push_back(call);
    } else if (tasks_a && tasks_b && z.transpose_a == Transpose::kYes && z.transpose_b == Transpose::kNo) {
      call.k = e.tasks * e.k;
      calls.push_back(call);
    } else {
      for (std::int64_t t = 0; t < e.tasks; ++t) {
        calls.push_back(call);
        calls.back().a = advance(b.data, tasks_b ? t * size_b : 0, b.dtype);
        calls.back().b = advance(a.data, tasks_a ? t * size_a : 0, a.dtype);
        if (t > 0) calls.back().beta = 1.0;
      }
    }
  }
  return calls;
}

TransposeCall transpose_call(std::int64_t rows, std::int64_t columns) {
  return {.m = rows, .n = columns, .lda = columns, .ldc = rows};
}

}  // namespace innerloop::kernels::cublas
