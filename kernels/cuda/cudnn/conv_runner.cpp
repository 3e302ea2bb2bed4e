#include "kernels/cuda/cudnn/conv_runner.h"

#include <algorithm>

namespace innerloop::kernels::cudnn {
namespace {

std::byte* at(const void* base, std::int64_t elements, std::int64_t element) {
  return static_cast<std::byte*>(const_cast<void*>(base)) + elements * element;
}

}  // namespace

/// Each pair's image and output, the filters to read (null where the filter is what is written), and what is written.
struct ConvRunner::Operands {
  const void* image[2];
  const void* filter[2];
  const void* output[2];
  View written;
};

ConvRunner::ConvRunner(cublas::Handle& cublas, const PlanOptions& options)
    : cublas_(cublas), options_(options), device_(Device::current()) {
  IL_CUDNN_CHECK(cudnnCreate(&handle_));
  const cudnnStatus_t status = cudnnSetStream(handle_, cublas_.stream());
  if (status != CUDNN_STATUS_SUCCESS) static_cast<void>(cudnnDestroy(handle_));
  IL_CUDNN_CHECK(status);
}

ConvRunner::~ConvRunner() { static_cast<void>(cudnnDestroy(handle_)); }

void ConvRunner::prepare(const ConvSchedule& schedule) {
  for (const ConvRun& run : schedule.runs) static_cast<void>(plans_.get(run.problem, options_, device_));
}

void ConvRunner::run(const ConvSchedule& schedule, const Operands& operands, Allocate allocate) {
  const View& written = operands.written;
  if (written.shape.numel() == 0) return;
  const auto element = static_cast<std::int64_t>(size_of(written.dtype));
  if (schedule.runs.empty()) {
    const auto bytes = static_cast<std::size_t>(written.shape.numel() * element);
    IL_CUDA_CHECK(cudaMemsetAsync(written.data, 0, bytes, cublas_.stream()));
    return;
  }
  std::int64_t most = 0;
  for (const ConvRun& run : schedule.runs) {
    most = std::max(most, plans_.get(run.problem, options_, device_)->workspace_bytes());
  }
  const std::shared_ptr<void> workspace = most > 0 ? allocate(static_cast<std::size_t>(most)) : nullptr;
  const std::shared_ptr<void> scratch = allocate(static_cast<std::size_t>(schedule.scratch_elements() * element));
  const std::int64_t rows = schedule.filter_rows, columns = schedule.filter_columns, size = rows * columns;
  for (int i = 0; i < 2; ++i) {
    if (operands.filter[i] == nullptr) continue;
    const std::int64_t first = i == 0 ? 0 : schedule.filters[0];
    for (std::int64_t t = 0; t < schedule.filters[i]; ++t) {
      cublas_.transpose(written.dtype, rows, columns, at(operands.filter[i], t * size, element),
                        at(scratch.get(), (first + t) * size, element));
    }
  }
  for (const ConvRun& run : schedule.runs) {
    const auto plan = plans_.get(run.problem, options_, device_);
    for (std::int64_t i = 0; i < run.count; ++i) {
      const auto operand = [&](const void* base, const OperandWalk& walk) {
        return at(base, walk.begin + i * walk.step, element);
      };
      plan->execute(handle_, operand(operands.image[run.pair], run.image), operand(scratch.get(), run.filter),
                    operand(operands.output[run.pair], run.output), workspace.get());
    }
  }
  if (operands.filter[0] != nullptr) return;
  for (std::int64_t t = 0; t < schedule.filters[0]; ++t) {
    cublas_.transpose(written.dtype, columns, rows, at(scratch.get(), t * size, element),
                      at(written.data, t * size, element));
  }
}

void ConvRunner::run(const ConvForward& k, Allocate allocate) {
  run(conv_schedule(k), {{k.x[0].data, k.x[1].data}, {k.w[0].data, k.w[1].data}, {k.y.data, k.y.data}, k.y}, allocate);
}

void ConvRunner::run(const ConvInputGrad& k, Allocate allocate) {
  run(conv_schedule(k), {{k.gx.data, k.gx.data}, {k.w[0].data, k.w[1].data}, {k.gy[0].data, k.gy[1].data}, k.gx},
      allocate);
}

void ConvRunner::run(const ConvWeightGrad& k, Allocate allocate) {
  run(conv_schedule(k), {{k.x[0].data, k.x[1].data}, {nullptr, nullptr}, {k.gy[0].data, k.gy[1].data}, k.gw}, allocate);
}

}  // namespace innerloop::kernels::cudnn
