// How a row-major Matmul becomes column-major cuBLAS calls. Plain arithmetic, no CUDA headers: it is tested on a CPU.
//
// cuBLAS reads a matrix down its columns. The bytes of a row-major [rows, columns] matrix X are, to cuBLAS, the
// column-major matrix X^T with leading dimension `columns`. So from out = op_a(a) op_b(b) it is asked for
//   out^T = op_b(b)^T op_a(a)^T,   m = N, n = M, k = K,
// with b as its first operand and a as its second. Each is already transposed by being read down its columns, so it
// gets our own flag: cuBLAS transposes where we do.
//   ours                    cuBLAS
//   b [K,N] or ^T [N,K]     A, lda = b's stored columns, op = transpose_b
//   a [M,K] or ^T [K,M]     B, ldb = a's stored columns, op = transpose_a
//   out [M,N]               C, ldc = N
//
// Task axis, in as few calls as the layout allows:
//   out [T,..], operands [T|1,..]   one strided-batched call; an operand of extent 1 has stride 0
//   out [T,..], a [T,M,K], b [1,..] one plain call on [T*M, K], where a is not transposed
//   out [1,..], a^T [T,K,M], b [T,K,N]  one plain call with k = T*K: tasks are a longer sum
//   out [1,..] otherwise            T calls in task order, beta = 1 from the second on
// A second pair (the dual form) is added with beta = 1.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/matmul.h"

namespace innerloop::kernels::cublas {

/// The arguments of cublasGemmStridedBatchedEx, alpha = 1, under cuBLAS's names. Leading dimensions and strides in
/// elements.
struct GemmCall {
  DType dtype = DType::kF32;
  Transpose op_a = Transpose::kNo, op_b = Transpose::kNo;
  std::int64_t m = 0, n = 0, k = 0;
  const void* a = nullptr;
  const void* b = nullptr;
  void* c = nullptr;
  std::int64_t lda = 1, ldb = 1, ldc = 1;
  std::int64_t stride_a = 0, stride_b = 0, stride_c = 0;
  std::int64_t batch = 1;
  double beta = 0;  ///< 0 or 1
};

/// Calls that compute `matmul` when made in order. None, though the output has elements, means that the sums are empty
/// and the output is all zeros. Throws, naming the shapes, when they do not fit.
std::vector<GemmCall> gemm_calls(const Matmul& matmul);

/// The arguments of cublas{S,D}geam, opA = transpose, alpha = 1, beta = 0, that turn a row-major [rows, columns] into a
/// row-major [columns, rows]: C [m,n] = A^T in column-major terms.
struct TransposeCall {
  std::int64_t m = 0, n = 0, lda = 1, ldc = 1;
};
TransposeCall transpose_call(std::int64_t rows, std::int64_t columns);

}  // namespace innerloop::kernels::cublas
