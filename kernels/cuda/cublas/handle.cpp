#include "kernels/cuda/cublas/handle.h"

#include "kernels/cuda/cublas/status.h"

namespace innerloop::kernels::cublas {
namespace {

cublasOperation_t operation(Transpose t) { return t == Transpose::kYes ? CUBLAS_OP_T : CUBLAS_OP_N; }

}  // namespace

Handle::Handle(cudaStream_t stream, const HandleOptions& options)
    : stream_(stream), precision_(options.precision), workspace_(options.workspace_bytes) {
  IL_CUBLAS_CHECK(cublasCreate(&handle_));
  try {
    // Order matters: cublasSetStream puts cuBLAS's own workspace back, so ours comes after it.
    IL_CUBLAS_CHECK(cublasSetStream(handle_, stream_));
    IL_CUBLAS_CHECK(cublasSetWorkspace(handle_, workspace_.data(), workspace_.bytes()));
    IL_CUBLAS_CHECK(cublasSetPointerMode(handle_, CUBLAS_POINTER_MODE_HOST));
    IL_CUBLAS_CHECK(cublasSetAtomicsMode(handle_, CUBLAS_ATOMICS_NOT_ALLOWED));
    IL_CUBLAS_CHECK(cublasSetMathMode(
        handle_, precision_ == cuda::Precision::kTf32 ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_PEDANTIC_MATH));
  } catch (...) {
    static_cast<void>(cublasDestroy(handle_));
    throw;
  }
}

Handle::~Handle() { static_cast<void>(cublasDestroy(handle_)); }

void Handle::gemm(const GemmCall& call) {
  const bool f64 = call.dtype == DType::kF64;
  const cudaDataType type = f64 ? CUDA_R_64F : CUDA_R_32F;
  const cublasComputeType_t compute = f64 ? CUBLAS_COMPUTE_64F_PEDANTIC
                                      : precision_ == cuda::Precision::kTf32 ? CUBLAS_COMPUTE_32F_FAST_TF32
                                                                             : CUBLAS_COMPUTE_32F_PEDANTIC;
  const double one64 = 1, beta64 = call.beta;
  const float one32 = 1, beta32 = static_cast<float>(call.beta);
  const void* alpha = f64 ? static_cast<const void*>(&one64) : &one32;
  const void* beta = f64 ? static_cast<const void*>(&beta64) : &beta32;
  IL_CUBLAS_CHECK(cublasGemmStridedBatchedEx_64(handle_, operation(call.op_a), operation(call.op_b), call.m, call.n,
                                                call.k, alpha, call.a, type, call.lda, call.stride_a, call.b, type,
                                                call.ldb, call.stride_b, beta, call.c, type, call.ldc, call.stride_c,
                                                call.batch, compute, CUBLAS_GEMM_DEFAULT));
}

void Handle::run(const Matmul& matmul) {
  const auto calls = gemm_calls(matmul);
  const auto bytes = static_cast<std::size_t>(matmul.out.shape.numel()) * size_of(matmul.out.dtype);
  if (calls.empty() && bytes > 0) IL_CUDA_CHECK(cudaMemsetAsync(matmul.out.data, 0, bytes, stream_));
  for (const GemmCall& call : calls) gemm(call);
}

void Handle::transpose(DType dtype, std::int64_t rows, std::int64_t columns, const void* from, void* to) {
  IL_CHECK(is_floating(dtype), "cublas: transpose of {}: f32 and f64 are what there is", name_of(dtype));
  const TransposeCall z = transpose_call(rows, columns);
  if (z.m * z.n == 0) return;
  // With beta = 0 the second operand is not read; it is given the output, which in-place use allows.
  if (dtype == DType::kF64) {
    const double one = 1, zero = 0;
    auto* c = static_cast<double*>(to);
    IL_CUBLAS_CHECK(cublasDgeam_64(handle_, CUBLAS_OP_T, CUBLAS_OP_N, z.m, z.n, &one, static_cast<const double*>(from),
                                   z.lda, &zero, c, z.ldc, c, z.ldc));
  } else {
    const float one = 1, zero = 0;
    auto* c = static_cast<float*>(to);
    IL_CUBLAS_CHECK(cublasSgeam_64(handle_, CUBLAS_OP_T, CUBLAS_OP_N, z.m, z.n, &one, static_cast<const float*>(from),
                                   z.lda, &zero, c, z.ldc, c, z.ldc));
  }
}

}  // namespace innerloop::kernels::cublas
