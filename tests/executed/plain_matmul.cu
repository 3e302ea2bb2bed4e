#include "kernels/cuda/dispatch.h"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/launch.cuh"
#include "tests/executed/plain_matmul.h"

namespace innerloop::tests {
namespace {

using namespace kernels;

/// An operand as op(x)[t][i][j] = data[t * task + i * row + j * column].
template <class T>
struct Strided {
  const T* data;
  std::int64_t task, row, column;

  Strided(const ConstView& v, Transpose transpose)
      : data(v.as<T>()),
        task(v.shape.rank() == 0 || v.shape[0] == 1 ? 0 : v.shape[1] * v.shape[2]),
        row(v.shape.rank() == 0            ? 0
            : transpose == Transpose::kYes ? 1
                                           : v.shape[2]),
        column(v.shape.rank() == 0            ? 0
               : transpose == Transpose::kYes ? v.shape[2]
                                              : 1) {}
};

template <class T>
__global__ void plain_matmul_kernel(Strided<T> a0, Strided<T> b0, Strided<T> a1, Strided<T> b1, T* out, std::int64_t m,
                                    std::int64_t n, std::int64_t k, std::int64_t total, std::int64_t summed) {
  kernels::cuda::grid_dependency_sync();
  const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (at >= total) return;
  const std::int64_t t = at / (m * n), i = at / n % m, j = at % n;
  T sum = 0;
  for (std::int64_t s = 0; s < summed; ++s) {
    const std::int64_t task = t + s;  // tasks are summed where the output has one
    for (std::int64_t l = 0; l < k; ++l) {
      sum +=
          a0.data[task * a0.task + i * a0.row + l * a0.column] * b0.data[task * b0.task + l * b0.row + j * b0.column];
      if (a1.data != nullptr)
        sum +=
            a1.data[task * a1.task + i * a1.row + l * a1.column] * b1.data[task * b1.task + l * b1.row + j * b1.column];
    }
  }
  out[at] = sum;
}

}  // namespace

void plain_matmul(cudaStream_t stream, const Matmul& z) {
  const std::int64_t total = z.out.shape.numel();
  if (total == 0) return;
  std::int64_t tasks = z.out.shape[0];
  for (int i = 0; i < 2; ++i) {
    if (z.a[i].shape.rank() > 0) tasks = std::max({tasks, z.a[i].shape[0], z.b[i].shape[0]});
  }
  const std::int64_t k = z.a[0].shape[z.transpose_a == Transpose::kYes ? 1 : 2];
  cuda::with_float(z.out.dtype, "plain matmul", [&]<class T>(T) {
    const auto a = [&](int i) { return Strided<T>(z.a[i], z.transpose_a); };
    const auto b = [&](int i) { return Strided<T>(z.b[i], z.transpose_b); };
    cuda::launch(plain_matmul_kernel<T>, dim3(static_cast<unsigned>((total + 255) / 256)), dim3(256), 0, stream, a(0),
                 b(0), a(1), b(1), z.out.as<T>(), z.out.shape[1], z.out.shape[2], k, total,
                 z.out.shape[0] == 1 ? tasks : std::int64_t{1});
  });
}

}  // namespace innerloop::tests
