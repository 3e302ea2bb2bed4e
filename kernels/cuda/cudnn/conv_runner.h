// ConvRunner: kernels/conv.h by cuDNN, on one stream. The oracle for our own GPU kernels, and the way out for shapes
// that they do not serve.
//
// A call is a schedule (conv_schedule.h): filters transposed into scratch memory, plans executed, a filter gradient
// transposed back. Per task that is one execution and one transposition a pair.
// Graph capture: prepare() every call of the graph before capturing any. A captured call then allocates nothing and
// makes no plan; a later prepare() that needs more memory would move the blocks that the graph knows.
#pragma once

#include <cudnn_graph.h>

#include <cstddef>

#include "kernels/cuda/cublas/handle.h"
#include "kernels/cuda/cudnn/conv_plan.h"
#include "kernels/cuda/cudnn/conv_schedule.h"
#include "kernels/cuda/device_buffer.h"

namespace innerloop::kernels::cudnn {

class ConvRunner {
 public:
  /// Works on the stream of `cublas`, which must outlive this, and on the current CUDA device.
  ConvRunner(cublas::Handle& cublas, const PlanOptions& options);
  ~ConvRunner();
  ConvRunner(const ConvRunner&) = delete;
  ConvRunner& operator=(const ConvRunner&) = delete;

  /// Makes the plans and the memory that the call will need. May wait for the device.
  template <class Conv>
  void prepare(const Conv& conv) {
    prepare(conv_schedule(conv));
  }
  /// The call's contract is that of kernels/conv.h; its operands lie in device memory.
  void run(const ConvForward& conv);
  void run(const ConvInputGrad& conv);
  void run(const ConvWeightGrad& conv);

  PlanCache& plans() { return plans_; }
  /// Bytes of workspace and scratch memory held.
  std::size_t workspace_bytes() const { return workspace_.bytes() + scratch_.bytes(); }

 private:
  struct Operands;
  void prepare(const ConvSchedule& schedule);
  void run(const ConvSchedule& schedule, const Operands& operands);

  cublas::Handle& cublas_;
  PlanOptions options_;
  Device device_;
  PlanCache plans_;
  cudnnHandle_t handle_ = nullptr;
  cuda::DeviceBuffer workspace_, scratch_;
};

}  // namespace innerloop::kernels::cudnn
