// The engine gemm: products of patches by cuBLAS, strided-batched over tasks.
#include <cublas_v2.h>

#include "kernels/cuda/conv_backend.h"
#include "kernels/cuda/conv_by_matmul.h"
#include "kernels/cuda/cublas/status.h"
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/vendor/cublas_of.h"

namespace innerloop::kernels::cuda {
namespace {

class GemmConv final : public ConvBackend {
 public:
  std::string version() const override {
    int numbers[3] = {};
    for (int i = 0; i < 3; ++i) IL_CUBLAS_CHECK(cublasGetProperty(static_cast<libraryPropertyType>(i), &numbers[i]));
    return fmt::format("cublas {}.{}.{}", numbers[0], numbers[1], numbers[2]);
  }
  std::string why_not(const ConvOp& op, Precision) override { return why_not_by_matmul(op); }
  void run(const ConvOp& op, Precision precision, Context& context) override {
    cublas::Handle& cublas = cublas_of(stream_of(context), precision);
    conv_by_matmul(
        op, [&](const Matmul& product) { cublas.run(product); }, context);
  }
};

[[maybe_unused]] const bool registered = register_conv_backend(
    ConvEngine::kGemm, [](Context&) -> std::unique_ptr<ConvBackend> { return std::make_unique<GemmConv>(); });

}  // namespace
}  // namespace innerloop::kernels::cuda
