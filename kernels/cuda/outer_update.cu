// Adam on every parameter, its sums of squares and the clock in one launch. Every block reads the clock; the last one, which joins the
// sums, moves it.
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

constexpr int kSums = 4;  ///< of the gradient, theta, m and v

/// partial [kSums, blocks]; sums: `gradient` [size], `state` [3, size].
template <class T>
__global__ void __launch_bounds__(kThreads)
    outer_update_kernel(const __grid_constant__ List list, AdamConstants<T> c, Clock clock, double* partial, double* gradient,
                        double* state, unsigned* ticket) {
  grid_dependency_sync();
  const Piece piece = piece_of_block(list);
  const ListEntry& e = *piece.entry;
  const double* const line = clock.line();
  const T rate = static_cast<T>(line[0] * line[1]), unbias2 = static_cast<T>(line[2]);
  const T* grad = static_cast<const T*>(e.a);
  T *theta = static_cast<T*>(e.p), *m = static_cast<T*>(e.q), *v = static_cast<T*>(e.r);
  double squares[kSums] = {};
  for (std::int64_t i = piece.begin + threadIdx.x; i < piece.end; i += kThreads) {
    T values[kSums] = {grad[i], theta[i], m[i], v[i]};
    adam_element(c, rate, unbias2, values[0], values[1], values[2], values[3]);
    theta[i] = values[1], m[i] = values[2], v[i] = values[3];
#pragma unroll
    for (int s = 0; s < kSums; ++s) squares[s] += static_cast<double>(values[s]) * static_cast<double>(values[s]);
  }
#pragma unroll
  for (int s = 0; s < kSums; ++s) {
    const double total = block_sum(squares[s]);
    if (threadIdx.x == 0) partial[s * static_cast<int>(gridDim.x) + static_cast<int>(blockIdx.x)] = total;
    __syncthreads();  // block_sum uses its shared memory again
  }
  if (!is_last_block(ticket, gridDim.x)) return;
  for (int i = static_cast<int>(threadIdx.x / 32); i < kSums * list.size; i += static_cast<int>(kThreads / 32)) {
    const int which = i / list.size, entry = i - which * list.size;
    join_entry(list, entry, partial + which * static_cast<int>(gridDim.x),
               which == 0 ? gradient + entry : state + (which - 1) * list.size + entry);
  }
  if (threadIdx.x == 0) {
    for (int i = 0; i < 3; ++i) clock.schedule[i] = line[i];
    *clock.now += 1;
  }
}

void run_here(const OuterUpdate& k, Context& context) {
  check(k);
  check(k.clock);
  const AdamList& adam = k.adam;
  const std::size_t n = adam.theta.size();
  bool empty = n == 0;
  for (const View& theta : adam.theta) empty = empty || theta.shape.numel() == 0;
  if (n > kMaxList || empty) return compose(k, context);
  with_float(adam.theta[0].dtype, OuterUpdate::kName, [&]<class T>(T) {
    in_lists(
        n,
        [&](std::size_t i) {
          const std::int64_t count = adam.theta[i].shape.numel();
          return ListEntry{adam.grad[i].data, nullptr, adam.theta[i].data, adam.m[i].data, adam.v[i].data, count, count, 0};
        },
        [&](const List& list, std::size_t, std::int32_t blocks) {
          const auto scratch = context.arena().allocate(static_cast<std::size_t>(kSums * blocks) * sizeof(double));
          launch(outer_update_kernel<T>, dim3(static_cast<unsigned>(blocks)), dim3(kThreads), 0, stream_of(context), list,
                 adam_constants<T>(adam),
                 Clock{k.clock.table.as<double>(), k.clock.table.shape[0], k.clock.clock.as<std::int64_t>(),
                       k.clock.schedule.as<double>()},
                 static_cast<double*>(scratch.get()), k.gradient_squares.as<double>(), k.state_squares.as<double>(),
                 tickets_of(context));
        });
  });
}

IL_REGISTER_KERNEL(OuterUpdate);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
