#include "kernels/cuda/vendor/conv_groups.h"

#include "kernels/cuda/swap_axes.h"

namespace innerloop::kernels::cuda {
namespace {

enum class Layout { kOurs, kGrouped };

cudnn::ConvDirection direction_of(const ConvOp& op) {
  constexpr cudnn::ConvDirection kByIndex[] = {cudnn::ConvDirection::kForward, cudnn::ConvDirection::kInputGrad,
                                               cudnn::ConvDirection::kWeightGrad};
  return kByIndex[op.index()];
}

/// Moves tensors to the grouped layout and back.
class Mover {
 public:
  Mover(cudaStream_t stream, const GroupedCalls& calls) : stream_(stream), calls_(calls) {}

  std::shared_ptr<void> memory_like(const ConstView& v) const {
    return calls_.allocate(static_cast<std::size_t>(v.shape.numel()) * size_of(v.dtype));
  }
  /// [T, pixels, channels] <-> [pixels, T, channels].
  void move_image(const ConstView& v, Layout to, const void* from, void* into) const {
    const std::int64_t tasks = v.shape[0], channels = v.shape[4], pixels = v.shape[1] * v.shape[2] * v.shape[3];
    swap_axes(
        stream_, v.dtype,
        to == Layout::kGrouped ? SwapExtents{1, tasks, pixels, channels} : SwapExtents{1, pixels, tasks, channels},
        from, into);
  }
  /// [T, R*S*C/g, K] <-> [T, K, R*S*C/g].
  void move_filter(const ConstView& v, Layout to, const void* from, void* into) const {
    const std::int64_t tasks = v.shape[0], rows = v.shape[1] * v.shape[2] * v.shape[3], k = v.shape[4];
    swap_axes(stream_, v.dtype,
              to == Layout::kGrouped ? SwapExtents{tasks, rows, k, 1} : SwapExtents{tasks, k, rows, 1}, from, into);
  }

 private:
  cudaStream_t stream_;
  const GroupedCalls& calls_;
};

}  // namespace

bool has_task_groups(const ConvOp& op) {
  const ConvRoles z = roles_of(op);
  const std::int64_t tasks = z.image[0].shape[0];
  for (int i = 0; i < z.pairs; ++i) {
    for (const ConstView* v : {&z.image[i], &z.filter[i], &z.output[i]}) {
      if (v->shape[0] != tasks || v->shape.numel() == 0) return false;
    }
  }
  return true;
}

cudnn::ConvProblem grouped_problem(const ConvOp& op, cudnn::Accumulate accumulate) {
  const ConvRoles z = roles_of(op);
  const Shape &x = z.image[0].shape, &w = z.filter[0].shape, &y = z.output[0].shape;
  ConvGeometry geometry = *z.geometry;
  geometry.groups *= x[0];
  cudnn::ConvProblem problem = cudnn::conv_problem(direction_of(op), z.image[0].dtype, geometry, x[1], x[2], x[3],
                                                   x[0] * x[4], x[0] * w[4], w[1], w[2], y[2], y[3]);
  problem.accumulate = accumulate;
  problem.alignment = 16;  // all operands lie in memory that was allocated for them
  return problem;
}

void conv_by_groups(const ConvOp& op, cudaStream_t stream, const GroupedCalls& calls) {
  const ConvRoles z = roles_of(op);
  const Mover mover(stream, calls);
  const cudnn::ConvDirection direction = direction_of(op);
  std::shared_ptr<void> written;
  for (int i = 0; i < z.pairs; ++i) {
    std::shared_ptr<void> image, filter, output;
    const auto place = [&](const ConstView& v, bool is_written, auto move) {
      if (is_written) return written = written != nullptr ? written : mover.memory_like(v);
      std::shared_ptr<void> memory = mover.memory_like(v);
      (mover.*move)(v, Layout::kGrouped, v.data, memory.get());
      return memory;
    };
    image = place(z.image[i], direction == cudnn::ConvDirection::kInputGrad, &Mover::move_image);
    filter = place(z.filter[i], direction == cudnn::ConvDirection::kWeightGrad, &Mover::move_filter);
    output = place(z.output[i], direction == cudnn::ConvDirection::kForward, &Mover::move_image);
    calls.convolve(grouped_problem(op, i == 0 ? cudnn::Accumulate::kNo : cudnn::Accumulate::kYes), image.get(),
                   filter.get(), output.get());
  }
  const auto finish = [&](const ConstView& v, auto move) {
    (mover.*move)(v, Layout::kOurs, written.get(), const_cast<void*>(v.data));
  };
  switch (direction) {
    case cudnn::ConvDirection::kForward:
      return finish(z.output[0], &Mover::move_image);
    case cudnn::ConvDirection::kInputGrad:
      return finish(z.image[0], &Mover::move_image);
    case cudnn::ConvDirection::kWeightGrad:
      return finish(z.filter[0], &Mover::move_filter);
  }
}

}  // namespace innerloop::kernels::cuda
