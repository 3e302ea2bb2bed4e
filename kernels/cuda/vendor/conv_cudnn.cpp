// The engine cudnn: cuDNN's plans by its own heuristics, whose answer is the same from run to run, as the bits are.
#include <cudnn_graph.h>

#include <map>
#include <memory>
#include <string>

#include "kernels/cuda/conv_backend.h"
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/cudnn/conv_runner.h"
#include "kernels/cuda/vendor/conv_groups.h"
#include "kernels/cuda/vendor/cublas_of.h"

namespace innerloop::kernels::cuda {
namespace {

/// Scratch of a plan, in bytes: the arena keeps a block for each size,.
constexpr std::int64_t kMostWorkspace = std::int64_t{1} << 30;

class CudnnConv final : public ConvBackend {
 public:
  explicit CudnnConv(cudaStream_t stream) : stream_(stream) {}

  std::string version() const override {
    const std::size_t v = cudnnGetVersion();
    return fmt::format("cudnn {}.{}.{}", v / 10000, v / 100 % 100, v % 100);
  }

  std::string why_not(const ConvOp& op, Precision precision) override { return way_for(op, precision).why_not; }

  void run(const ConvOp& op, Precision precision, Context& context) override {
    cudnn::ConvRunner& r = runner(precision);
    const auto allocate = [&](std::size_t bytes) { return context.arena().allocate(bytes); };
    if (!way_for(op, precision).by_groups) {
      std::visit([&](const auto* kernel) { r.run(*kernel, allocate); }, op);
      return;
    }
    const auto convolve = [&](const cudnn::ConvProblem& problem, const void* image, const void* filter,
                              const void* output) {
      const auto plan = r.plans().get(problem, r.options(), r.device());
      const auto bytes = static_cast<std::size_t>(plan->workspace_bytes());
      const std::shared_ptr<void> workspace = bytes > 0 ? allocate(bytes) : nullptr;
      plan->execute(r.handle(), image, filter, output, workspace.get());
    };
    conv_by_groups(op, stream_, {allocate, convolve});
  }

 private:
  /// How an op is served: by one grouped execution, else by the runner's executions, else not at all.
  struct Way {
    bool by_groups = false;
    std::string why_not;
  };

  const Way& way_for(const ConvOp& op, Precision precision) {
    const std::string key = conv_key(op, name_of(precision));
    const auto known = ways_.find(key);
    return known != ways_.end() ? known->second : ways_.emplace(key, find_way(op, precision)).first->second;
  }

  Way find_way(const ConvOp& op, Precision precision) {
    try {
      return find_way(op, runner(precision));
    } catch (const Error& e) {  // cuDNN is there and does not start
      return {false, e.what()};
    }
  }

  /// Makes the plans that the way needs.
  static Way find_way(const ConvOp& op, cudnn::ConvRunner& r) {
    const ConvRoles z = roles_of(op);
    if (z.image[0].shape[0] > 1 && has_task_groups(op)) {
      try {
        for (int i = 0; i < z.pairs; ++i) {
          const auto problem = grouped_problem(op, i == 0 ? cudnn::Accumulate::kNo : cudnn::Accumulate::kYes);
          static_cast<void>(r.plans().get(problem, r.options(), r.device()));
        }
        return {true, ""};
      } catch (const Error&) {
        // cuDNN has no plan for so many groups; a call a task remains
      }
    }
    try {
      std::visit([&](const auto* kernel) { r.prepare(*kernel); }, op);
      return {false, ""};
    } catch (const Error& e) {
      return {false, e.what()};
    }
  }

  cudnn::ConvRunner& runner(Precision precision) {
    std::unique_ptr<cudnn::ConvRunner>& runner = runners_[precision];
    if (runner == nullptr) {
      runner = std::make_unique<cudnn::ConvRunner>(cublas_of(stream_, precision),
                                                   cudnn::PlanOptions{.precision = precision, .workspace_limit = kMostWorkspace});
    }
    return *runner;
  }

  cudaStream_t stream_;
  std::map<Precision, std::unique_ptr<cudnn::ConvRunner>> runners_;
  std::map<std::string, Way> ways_;  ///< by shape
};

[[maybe_unused]] const bool registered = register_conv_backend(
    ConvEngine::kCudnn,
    [](Context& context) -> std::unique_ptr<ConvBackend> { return std::make_unique<CudnnConv>(stream_of(context)); });

}  // namespace
}  // namespace innerloop::kernels::cuda
