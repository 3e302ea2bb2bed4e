// The engine cudnn: cuDNN's plans by its own heuristics, whose answer is the same from run to run, as the bits are.
#include <cudnn_graph.h>

#include <map>
#include <memory>
#include <string>

#include "kernels/cuda/conv_backend.h"
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/cudnn/conv_runner.h"
#include "kernels/cuda/vendor/cublas_of.h"

namespace innerloop::kernels::cuda {
namespace {

class CudnnConv final : public ConvBackend {
 public:
  explicit CudnnConv(cudaStream_t stream) : stream_(stream) {}

  std::string version() const override {
    const std::size_t v = cudnnGetVersion();
    return fmt::format("cudnn {}.{}.{}", v / 10000, v / 100 % 100, v % 100);
  }

  std::string why_not(const ConvOp& op, Precision precision) override {
    const std::string key = conv_key(op, name_of(precision));
    const auto known = refusals_.find(key);
    if (known != refusals_.end()) return known->second;
    std::string why;
    try {
      std::visit([&](const auto* kernel) { runner(precision).prepare(*kernel); }, op);
    } catch (const Error& e) {
      why = e.what();
    }
    return refusals_.emplace(key, why).first->second;
  }

  void run(const ConvOp& op, Precision precision, Context& context) override {
    const auto allocate = [&](std::size_t bytes) { return context.arena().allocate(bytes); };
    std::visit([&](const auto* kernel) { runner(precision).run(*kernel, allocate); }, op);
  }

 private:
  cudnn::ConvRunner& runner(Precision precision) {
    std::unique_ptr<cudnn::ConvRunner>& runner = runners_[precision];
    if (runner == nullptr) {
      runner = std::make_unique<cudnn::ConvRunner>(cublas_of(stream_, precision),
                                                   cudnn::PlanOptions{.precision = precision});
    }
    return *runner;
  }

  cudaStream_t stream_;
  std::map<Precision, std::unique_ptr<cudnn::ConvRunner>> runners_;
  std::map<std::string, std::string> refusals_;  ///< by shape; empty where it serves
};

[[maybe_unused]] const bool registered = register_conv_backend(
    ConvEngine::kCudnn,
    [](Context& context) -> std::unique_ptr<ConvBackend> { return std::make_unique<CudnnConv>(stream_of(context)); });

}  // namespace
}  // namespace innerloop::kernels::cuda
