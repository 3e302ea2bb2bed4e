// Plans for convolutions: found by cuDNN's heuristics, filtered by what may be done to the numbers, kept in a cache.
//
// Which plans pass (the notes are cuDNN's own words about an engine):
//   always refused   DOWN_CONVERT_INPUTS, REDUCED_PRECISION_REDUCTION, FFT, WINOGRAD: other sums than the plain one
//   kStrict          f32 also refuses TENSOR_CORE, which is TF32. f64 tensor cores compute in f64 and pass.
//   kRequired        refuses NONDETERMINISTIC
// Order: mode A's, then what mode B and the fallback list add, each in the heuristics' order, an engine's duplicates
// kept (they differ in tile sizes). The first that finalises within the workspace limit is taken; autotune.h times
// them.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "kernels/cuda/cudnn/backend.h"
#include "kernels/cuda/numerics.h"

namespace innerloop::kernels::cudnn {

struct PlanOptions {
  cuda::Precision precision = cuda::Precision::kStrict;
  cuda::Determinism determinism = cuda::Determinism::kRequired;
  std::int64_t workspace_limit = std::numeric_limits<std::int64_t>::max();  ///< bytes

  friend auto operator<=>(const PlanOptions&, const PlanOptions&) = default;
};

/// True where `options` let an engine with these notes serve tensors of `dtype`.
bool allowed(const EngineInfo& info, DType dtype, const PlanOptions& options);

/// A finalised plan. Immutable, so it may be shared; executions with one workspace must not overlap.
class ConvPlan {
 public:
  ConvPlan(const ConvProblem& problem, std::shared_ptr<const ConvGraph> graph, EngineInfo engine,
           HeuristicMode found_by, Descriptor configuration, Descriptor plan);

  const ConvProblem& problem() const { return problem_; }
  const EngineInfo& engine() const { return engine_; }
  HeuristicMode found_by() const { return found_by_; }
  std::int64_t workspace_bytes() const { return workspace_bytes_; }
  /// The plan in cuDNN's JSON: graph, device, engine and knobs.
  std::string json() const;

  /// Enqueues the convolution on the handle's stream. Image [N,H,W,C], filter [K,R,S,C/groups], output [N,P,Q,K], in
  /// device memory at the problem's alignment; the direction says which one is written. `workspace` holds
  /// workspace_bytes(). Makes one small descriptor on the host and nothing on the device: safe under stream capture.
  void execute(cudnnHandle_t handle, const void* image, const void* filter, const void* output, void* workspace) const;

 private:
  ConvProblem problem_;
  EngineInfo engine_;
  HeuristicMode found_by_;
  std::shared_ptr<const ConvGraph> graph_;  // the plan refers to it
  Descriptor configuration_, plan_;
  std::int64_t workspace_bytes_ = 0;
};

/// Up to `limit` plans that `options` allow, best guess first. Empty where cuDNN has none.
std::vector<std::shared_ptr<const ConvPlan>> find_plans(const ConvProblem& problem, const PlanOptions& options,
                                                        const Device& device, std::size_t limit);

/// Plans by problem, options, device and library version. Thread-safe; a plan is made once and lives as long as anyone
/// holds it.
class PlanCache {
 public:
  /// The plan for the problem, made on first use. Throws, naming the problem, where cuDNN has none that is allowed.
  std::shared_ptr<const ConvPlan> get(const ConvProblem& problem, const PlanOptions& options, const Device& device);
  /// Makes `plan` the answer from now on (a measured choice).
  void put(const PlanOptions& options, const Device& device, std::shared_ptr<const ConvPlan> plan);
  std::size_t size() const;

 private:
  using Key = std::tuple<ConvProblem, PlanOptions, std::string, std::size_t>;
  static Key key(const ConvProblem& problem, const PlanOptions& options, const Device& device);

  mutable std::mutex mutex_;
  std::map<Key, std::shared_ptr<const ConvPlan>> plans_;
};

}  // namespace innerloop::kernels::cudnn
