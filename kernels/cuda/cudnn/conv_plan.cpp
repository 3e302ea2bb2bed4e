#include "kernels/cuda/cudnn/conv_plan.h"

#include <algorithm>
#include <set>
#include <utility>

namespace innerloop::kernels::cudnn {

bool allowed(const EngineInfo& info, DType dtype, const PlanOptions& options) {
  for (const auto note : {CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS, CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION,
                          CUDNN_NUMERICAL_NOTE_FFT, CUDNN_NUMERICAL_NOTE_WINOGRAD}) {
    if (info.has(note)) return false;
  }
  const bool tf32 = dtype == DType::kF32 && info.has(CUDNN_NUMERICAL_NOTE_TENSOR_CORE);
  if (tf32 && options.precision != cuda::Precision::kTf32) return false;
  return options.determinism == cuda::Determinism::kNotNeeded || !info.has(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC);
}

ConvPlan::ConvPlan(const ConvProblem& problem, std::shared_ptr<const ConvGraph> graph, EngineInfo engine,
                   HeuristicMode found_by, Descriptor configuration, Descriptor plan)
    : problem_(problem),
      engine_(std::move(engine)),
      found_by_(found_by),
      graph_(std::move(graph)),
      configuration_(std::move(configuration)),
      plan_(std::move(plan)),
      workspace_bytes_(plan_.get_one<std::int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE)) {}

std::string ConvPlan::json() const {
  const auto text = plan_.get<char>(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION);
  return std::string(text.begin(), std::find(text.begin(), text.end(), '\0'));
}

void ConvPlan::execute(cudnnHandle_t handle, const void* image, const void* filter, const void* output,
                       void* workspace) const {
  // cuDNN's interface has no const; the direction decides which of the three is written.
  cudnn::execute(handle, plan_, const_cast<void*>(image), const_cast<void*>(filter), const_cast<void*>(output),
                 workspace);
}

std::vector<std::shared_ptr<const ConvPlan>> find_plans(const ConvProblem& problem, const PlanOptions& options,
                                                        const Device& device, std::size_t limit) {
  std::vector<std::shared_ptr<const ConvPlan>> plans;
  const auto graph = std::make_shared<const ConvGraph>(problem);
  std::set<std::int64_t> earlier_engines;
  for (const HeuristicMode mode : kHeuristicModes) {
    std::set<std::int64_t> engines;
    for (Descriptor& configuration : engine_configurations(*graph, mode, device)) {
      if (plans.size() == limit) return plans;
      EngineInfo info = engine_info(configuration);
      // A later mode adds the engines that no earlier one has named.
      if (earlier_engines.count(info.index) != 0 || !allowed(info, problem.dtype, options)) continue;
      std::optional<Descriptor> plan = execution_plan(configuration, device);
      if (!plan) continue;
      auto candidate = std::make_shared<const ConvPlan>(problem, graph, std::move(info), mode, std::move(configuration),
                                                        std::move(*plan));
      if (candidate->workspace_bytes() > options.workspace_limit) continue;
      engines.insert(candidate->engine().index);
      plans.push_back(std::move(candidate));
    }
    earlier_engines.merge(engines);
  }
  return plans;
}

PlanCache::Key PlanCache::key(const ConvProblem& problem, const PlanOptions& options, const Device& device) {
  return {problem, options, device.json(), cudnnGetVersion()};
}

std::shared_ptr<const ConvPlan> PlanCache::get(const ConvProblem& problem, const PlanOptions& options,
                                               const Device& device) {
  const Key k = key(problem, options, device);
  const std::lock_guard lock(mutex_);
  const auto known = plans_.find(k);
  if (known != plans_.end()) return known->second;
  auto plans = find_plans(problem, options, device, 1);
  IL_CHECK(!plans.empty(),
           "cudnn: no {} plan with at most {} bytes of workspace for {}; raise the limit, or allow tf32 or "
           "non-deterministic sums",
           cuda::name_of(options.precision), options.workspace_limit, to_string(problem));
  return plans_.emplace(k, std::move(plans.front())).first->second;
}

void PlanCache::put(const PlanOptions& options, const Device& device, std::shared_ptr<const ConvPlan> plan) {
  Key k = key(plan->problem(), options, device);
  const std::lock_guard lock(mutex_);
  plans_.insert_or_assign(std::move(k), std::move(plan));
}

std::size_t PlanCache::size() const {
  const std::lock_guard lock(mutex_);
  return plans_.size();
}

}  // namespace innerloop::kernels::cudnn
