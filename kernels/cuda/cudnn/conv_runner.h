// ConvRunner: kernels/conv.h by cuDNN, on one stream. The oracle for our own GPU kernels, and the way out for shapes
// that they do not serve.
//
// A call is a schedule (conv_schedule.h): filters transposed into scratch memory, plans executed, a filter gradient
// transposed back. Per task that is one execution and one transposition a pair.
// Memory comes from the caller, for the time that a call takes to be put on the stream.
// Graph capture: prepare() every call of the graph before capturing any; a captured call then makes no plan.
#pragma once

#include <cudnn_graph.h>

#include <cstddef>
#include <memory>

#include "kernels/cuda/cublas/handle.h"
#include "kernels/cuda/cudnn/conv_plan.h"
#include "kernels/cuda/cudnn/conv_schedule.h"
#include "tensor/function_ref.h"

namespace innerloop::kernels::cudnn {

class ConvRunner {
 public:
  /// `bytes` of device memory, aligned to 256. When the owner lets go, work that is on the stream may still use it: it
  /// may serve later work of the same stream, no other.
  using Allocate = FunctionRef<std::shared_ptr<void>(std::size_t bytes)>;

  /// Works on the stream of `cublas`, which must outlive this, and on the current CUDA device.
  ConvRunner(cublas::Handle& cublas, const PlanOptions& options);
  ~ConvRunner();
  ConvRunner(const ConvRunner&) = delete;
  ConvRunner& operator=(const ConvRunner&) = delete;

  /// Makes the plans that the call will need. Throws where cuDNN has none.
  template <class Conv>
  void prepare(const Conv& conv) {
    prepare(conv_schedule(conv));
  }
  /// The call's contract is that of kernels/conv.h; its operands lie in device memory.
  void run(const ConvForward& conv, Allocate allocate);
  void run(const ConvInputGrad& conv, Allocate allocate);
  void run(const ConvWeightGrad& conv, Allocate allocate);

  /// For calls of one's own on the same stream.
  PlanCache& plans() { return plans_; }
  const PlanOptions& options() const { return options_; }
  const Device& device() const { return device_; }
  cudnnHandle_t handle() const { return handle_; }

 private:
  struct Operands;
  void prepare(const ConvSchedule& schedule);
  void run(const ConvSchedule& schedule, const Operands& operands, Allocate allocate);

  cublas::Handle& cublas_;
  PlanOptions options_;
  Device device_;
  PlanCache plans_;
  cudnnHandle_t handle_ = nullptr;
};

}  // namespace innerloop::kernels::cudnn
