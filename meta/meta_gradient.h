// The meta-gradient of MAML (Finn, Abbeel, Levine, ICML 2017): the derivative, with respect to the initial parameters,
// of the mean query loss after K inner SGD steps, through those steps.
//
// With H_k the Hessian of the support loss at theta_k and lambda_K the gradient of the query loss at theta_K:
//   lambda_k = (I - rate H_k) lambda_{k+1},   meta-gradient = mean over tasks of lambda_0
// Mixed mode computes exactly that: K Hessian-vector products, forward over reverse, each a tangent pass over the
// recorded gradient of one step. Reverse mode records all steps and differentiates the whole: the oracle. Both are
// second order; first order (lambda_0 = lambda_K) only when asked for by name.
//
// Memory of mixed mode, per task: theta_k for every step, and the record of one step (kRecompute) or of all (kKeep).
// Determinism: tasks run one after another or side by side, and are joined in task order; the same bits at any number
// of threads.
#pragma once

#include <vector>

#include "meta/episode.h"
#include "meta/inner_loop.h"

namespace innerloop::meta {

enum class Order { kFirst = 1, kSecond = 2 };
enum class Method { kMixed, kReverse };

/// What mixed mode does with the record of an inner step until its Hessian-vector product is due.
enum class StepMemory {
  kAuto,       ///< kKeep on a device, and on a CPU while the records of all programs that run at once fit a quarter of the
               ///< machine's memory; else kRecompute. Either gives the same bits
  kRecompute,  ///< drop it and compute that step's gradient again; the last step's record is kept, as it is used at
               ///< once
  kKeep,       ///< keep it: no work is done twice, memory grows with K
};

struct MetaOptions {
  InnerOptions inner;
  Order order = Order::kSecond;
  Method method = Method::kMixed;
  StepMemory memory = StepMemory::kAuto;
  /// Tasks that run as one batched program; the others run beside them. 0: one a program on a CPU, where they run side by
  /// side, and all in one on a device. On a device programs run one after another: fewer tasks in each take less memory.
  std::int64_t tasks_per_program = 0;
};

struct MetaResult {
  std::vector<Tensor> gradient;      ///< as the parameters, [1, ...]
  Tensor query_loss;                 ///< [T]
  Tensor query_accuracy;             ///< [T], float64
  std::vector<Tensor> support_loss;  ///< [T] each: before step k
};

/// [T, K], of T tasks: before each step.
Tensor support_loss_of(const MetaResult& result);

/// `params` [1, ...], or [T, ...] alike for each task, and the images have one floating dtype.
MetaResult meta_gradient(const nn::ConvNet& net, const std::vector<Tensor>& params, const TaskBatch& tasks,
                         const MetaOptions& options);

/// Whether all tasks run as one program.
bool in_one_program(const TaskBatch& tasks, const MetaOptions& options);

/// The same where they do, with the gradient of each task, [T, ...], whose mean the meta-gradient is.
MetaResult task_gradients(const nn::ConvNet& net, const std::vector<Tensor>& params, const TaskBatch& tasks, const MetaOptions& options);

/// Mean over tasks of the query loss after adaptation: the function whose gradient meta_gradient() is.
double meta_loss(const nn::ConvNet& net, const std::vector<Tensor>& params, const TaskBatch& tasks,
                 const InnerOptions& inner);

/// Euclidean norm over all tensors, in float64.
double norm(const std::vector<Tensor>& tensors);

}  // namespace innerloop::meta
