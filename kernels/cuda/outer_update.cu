// The end of a meta-step in one launch. Every block reads the clock; the last one, which joins the sums, moves it and writes the row.
#include "kernels/outer_update.h"

#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/dispatch.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/tickets.cuh"
#include "kernels/cuda/update_lists.cuh"
#include "kernels/update_check.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

struct Clock {
  const double* table;
  std::int64_t lines;
  std::int64_t* now;
  double* schedule;
  __device__ __forceinline__ const double* line() const {
    const std::int64_t step = *now;
    return table + 3 * (step < 0 ? 0 : (step < lines ? step : lines - 1));
  }
};

/// The parts of a row: few, since all of a kernel's arguments have 4 KB.
constexpr std::size_t kMostFigures = 20;
struct Row {
  struct Part {
    const void* data;
    std::int32_t begin, count;  ///< place in the row; negative: of float32
  };
  Part part[kMostFigures];
  double* ring;  ///< null: not wanted
  std::int64_t rows, width;
  std::int32_t size;
};

template <class T>
struct UpdateParams {
  List list;  ///< gradient; theta, m, v; its period is the gradient's tasks
  T* starts[kMaxList];
  std::int32_t start_tasks;
  double tasks;  ///< 0: the gradient is no sum
  AdamConstants<T> adam;
  Clock clock;
  Row row;
  double *partial, *gradient, *state;
  unsigned* ticket;
};

static_assert(sizeof(UpdateParams<double>) <= 4096, "what any driver takes as arguments");

constexpr int kSums = 4;  ///< of the gradient, theta, m and v

/// Element i of the gradient.
template <class T>
__device__ __forceinline__ T gradient_at(const ListEntry& e, double tasks, std::int64_t i) {
  const T* const grad = static_cast<const T*>(e.a);
  if (tasks == 0) return grad[i];
  double total = 0;
#pragma unroll 4
  for (std::int64_t t = 0; t < e.period; ++t) total += static_cast<double>(grad[t * e.count + i]);
  return static_cast<T>(total / tasks);
}

/// The parts behind one another; all of a block's threads, for the step that the clock counts `step` after.
__device__ __forceinline__ void write_row(const Row& row, std::int64_t step) {
  if (row.ring == nullptr) return;
  double* const to = row.ring + (step + 1) % row.rows * row.width;
  for (int p = 0; p < row.size; ++p) {
    const Row::Part part = row.part[p];
    const int count = part.count < 0 ? -part.count : part.count;
    for (int j = static_cast<int>(threadIdx.x); j < count; j += static_cast<int>(kThreads))
      to[part.begin + j] =
          part.count < 0 ? static_cast<double>(static_cast<const float*>(part.data)[j]) : static_cast<const double*>(part.data)[j];
  }
}

/// partial [kSums, blocks]; sums: `gradient` [size], `state` [3, size].
template <class T>
__global__ void __launch_bounds__(kThreads) outer_update_kernel(const __grid_constant__ UpdateParams<T> p) {
  grid_dependency_sync();
  const Piece piece = piece_of_block(p.list);
  const ListEntry& e = *piece.entry;
  const double* const line = p.clock.line();
  const T rate = static_cast<T>(line[0] * line[1]), unbias2 = static_cast<T>(line[2]);
  T *theta = static_cast<T*>(e.p), *m = static_cast<T*>(e.q), *v = static_cast<T*>(e.r);
  T* const starts = p.starts[piece.entry - p.list.entry];
  double squares[kSums] = {};
  for (std::int64_t i = piece.begin + threadIdx.x; i < piece.end; i += kThreads) {
    T values[kSums] = {gradient_at<T>(e, p.tasks, i), theta[i], m[i], v[i]};
    adam_element(p.adam, rate, unbias2, values[0], values[1], values[2], values[3]);
    theta[i] = values[1], m[i] = values[2], v[i] = values[3];
    for (std::int64_t t = 0; t < p.start_tasks; ++t) starts[t * e.count + i] = values[1];
#pragma unroll
    for (int s = 0; s < kSums; ++s) squares[s] += static_cast<double>(values[s]) * static_cast<double>(values[s]);
  }
#pragma unroll
  for (int s = 0; s < kSums; ++s) {
    const double total = block_sum(squares[s]);
    if (threadIdx.x == 0) p.partial[s * static_cast<int>(gridDim.x) + static_cast<int>(blockIdx.x)] = total;
    __syncthreads();  // block_sum uses its shared memory again
  }
  if (!is_last_block(p.ticket, gridDim.x)) return;
  for (int i = static_cast<int>(threadIdx.x / 32); i < kSums * p.list.size; i += static_cast<int>(kThreads / 32)) {
    const int which = i / p.list.size, entry = i - which * p.list.size;
    join_entry(p.list, entry, p.partial + which * static_cast<int>(gridDim.x),
               which == 0 ? p.gradient + entry : p.state + (which - 1) * p.list.size + entry);
  }
  const std::int64_t step = *p.clock.now;
  __syncthreads();  // the sums are there, and nobody reads the clock any more
  write_row(p.row, step);
  if (threadIdx.x == 0) {
    for (int i = 0; i < 3; ++i) p.clock.schedule[i] = line[i];
    *p.clock.now = step + 1;
  }
}

/// False where a part is missing, or there are too many.
bool fill(Row& row, const PackRow& k) {
  row.ring = nullptr, row.size = 0;
  if (!k.ring) return true;
  if (k.parts.size() > kMostFigures || k.ring.shape.numel() == 0) return false;
  row.ring = k.ring.as<double>(), row.rows = k.ring.shape[0], row.width = k.ring.shape[1];
  std::int64_t begin = 0;
  for (const ConstView& v : k.parts) {
    with_float(v.dtype, k.kName, [](auto) {});
    const auto count = static_cast<std::int32_t>(v.shape.numel());
    row.part[row.size++] = {v.data, static_cast<std::int32_t>(begin), v.dtype == DType::kF32 ? -count : count};
    begin += count;
  }
  IL_CHECK(begin == row.width, "{}: {} elements for a row of {}", k.kName, begin, row.width);
  return true;
}

void run_here(const OuterUpdate& k, Context& context) {
  check(k);
  check(k.clock);
  const AdamList& adam = k.adam;
  const std::size_t n = adam.theta.size();
  bool empty = n == 0;
  for (const View& theta : adam.theta) empty = empty || theta.shape.numel() == 0;
  Row row;
  if (n > kMaxList || empty || !fill(row, k.row)) return compose(k, context);
  with_float(adam.theta[0].dtype, OuterUpdate::kName, [&]<class T>(T) {
    UpdateParams<T> params;
    params.start_tasks = k.starts.empty() ? 0 : static_cast<std::int32_t>(k.starts[0].shape[0]);
    params.tasks = static_cast<double>(k.tasks);
    params.adam = adam_constants<T>(adam);
    params.clock = {k.clock.table.as<double>(), k.clock.table.shape[0], k.clock.clock.as<std::int64_t>(), k.clock.schedule.as<double>()};
    params.row = row;
    params.gradient = k.gradient_squares.as<double>(), params.state = k.state_squares.as<double>();
    params.ticket = tickets_of(context);
    in_lists(
        n,
        [&](std::size_t i) {
          const std::int64_t count = adam.theta[i].shape.numel();
          params.starts[i] = k.starts.empty() ? nullptr : k.starts[i].template as<T>();
          return ListEntry{adam.grad[i].data, nullptr, adam.theta[i].data, adam.m[i].data, adam.v[i].data, count,
                           k.tasks > 0 ? adam.grad[i].shape.numel() / count : 1, 0};
        },
        [&](const List& list, std::size_t, std::int32_t blocks) {
          const auto scratch = context.arena().allocate(static_cast<std::size_t>(kSums * blocks) * sizeof(double));
          params.list = list, params.partial = static_cast<double*>(scratch.get());
          launch(outer_update_kernel<T>, dim3(static_cast<unsigned>(blocks)), dim3(kThreads), 0, stream_of(context), params);
        });
  });
}

IL_REGISTER_KERNEL(OuterUpdate);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
