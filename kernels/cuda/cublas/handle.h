// cuBLAS, wrapped once: one handle bound to one stream, with its workspace and its arithmetic fixed when it is made.
//
// Graph capture: the workspace is ours and allocated here, so no call allocates and a captured call finds it again at
// replay. Make the handle before capture begins and keep it alive as long as the graph.
// Arithmetic: pedantic (the operands' own dtype, no TF32, no emulation) unless TF32 is asked for. f64 is always
// pedantic. Determinism: one handle, one stream, a workspace of fixed size and no atomics give the same bits from call
// to call. Thread safety: one thread at a time.
#pragma once

#include <cublas_v2.h>

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/cublas/gemm_call.h"
#include "kernels/cuda/device_buffer.h"
#include "kernels/cuda/numerics.h"

namespace innerloop::kernels::cublas {

struct HandleOptions {
  cuda::Precision precision = cuda::Precision::kStrict;
  /// NVIDIA's advice for compute capability 9.0; older devices need 4 MiB.
  std::size_t workspace_bytes = std::size_t{32} << 20;
};

class Handle {
 public:
  /// Throws where there is no GPU or no memory for the workspace. The stream stays the caller's and must outlive this.
  Handle(cudaStream_t stream, const HandleOptions& options);
  ~Handle();
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  cudaStream_t stream() const { return stream_; }

  /// kernels/matmul.h's contract, enqueued on the stream.
  void run(const Matmul& matmul);

  /// to [columns, rows] = from [rows, columns] transposed, row-major both; an exact copy. The two must not overlap.
  void transpose(DType dtype, std::int64_t rows, std::int64_t columns, const void* from, void* to);

 private:
  void gemm(const GemmCall& call);

  cudaStream_t stream_;
  cuda::Precision precision_;
  cuda::DeviceBuffer workspace_;
  cublasHandle_t handle_ = nullptr;
};

}  // namespace innerloop::kernels::cublas
