// One launch over a list of tensors. The addresses and sizes travel as an argument; each block finds the tensor that its piece
// belongs to by a scan over the list, which is short.
#include "kernels/update_lists.h"

#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/dispatch.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/tickets.cuh"
#include "kernels/cuda/update_lists.cuh"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

template <class T>
__global__ void repeat_list_kernel(List list) {
  grid_dependency_sync();
  const Piece piece = piece_of_block(list);
  const ListEntry& e = *piece.entry;
  const T* theta = static_cast<const T*>(e.a);
  T* out = static_cast<T*>(e.p);
  for (std::int64_t i = piece.begin + threadIdx.x; i < piece.end; i += kThreads) out[i] = theta[i % e.period];
}

template <class T>
__global__ void sgd_list_kernel(List list, T rate, const double* rate_from) {
  grid_dependency_sync();
  const Piece piece = piece_of_block(list);
  const ListEntry& e = *piece.entry;
  const T step = rate_from != nullptr ? static_cast<T>(*rate_from) : rate;
  const T *theta = static_cast<const T*>(e.a), *grad = static_cast<const T*>(e.b);
  T* out = static_cast<T*>(e.p);
  for (std::int64_t i = piece.begin + threadIdx.x; i < piece.end; i += kThreads)
    out[i] = descended(theta[e.period == e.count ? i : i % e.period], step, grad[i]);
}

template <class T>
__global__ void adam_list_kernel(List list, AdamConstants<T> c, const double* schedule) {
  grid_dependency_sync();
  const Piece piece = piece_of_block(list);
  const ListEntry& e = *piece.entry;
  const T rate = static_cast<T>(schedule[0] * schedule[1]), unbias2 = static_cast<T>(schedule[2]);
  const T* grad = static_cast<const T*>(e.a);
  T *theta = static_cast<T*>(e.p), *m = static_cast<T*>(e.q), *v = static_cast<T*>(e.r);
  for (std::int64_t i = piece.begin + threadIdx.x; i < piece.end; i += kThreads) {
    adam_element(c, rate, unbias2, grad[i], theta[i], m[i], v[i]);
  }
}

/// count = elements of one task; period = tasks.
template <class T>
__global__ void mean_list_kernel(List list, double tasks) {
  grid_dependency_sync();
  const Piece piece = piece_of_block(list);
  const ListEntry& e = *piece.entry;
  const T* x = static_cast<const T*>(e.a);
  T* y = static_cast<T*>(e.p);
  for (std::int64_t i = piece.begin + threadIdx.x; i < piece.end; i += kThreads) {
    double total = 0;
    for (std::int64_t t = 0; t < e.period; ++t) total += static_cast<double>(x[t * e.count + i]);
    y[i] = static_cast<T>(total / tasks);
  }
}

/// Partial sums of all blocks; the last block joins those of each tensor, a warp a tensor, in a fixed order.
template <class T>
__global__ void squares_list_kernel(List list, double* partial, double* y, unsigned* ticket) {
  grid_dependency_sync();
  const Piece piece = piece_of_block(list);
  const T* x = static_cast<const T*>(piece.entry->a);
  double squares = 0;
  for (std::int64_t i = piece.begin + threadIdx.x; i < piece.end; i += kThreads) {
    const double value = static_cast<double>(x[i]);
    squares += value * value;
  }
  const double total = block_sum(squares);
  if (threadIdx.x == 0) partial[blockIdx.x] = total;
  if (!is_last_block(ticket, gridDim.x)) return;
  for (int i = static_cast<int>(threadIdx.x / 32); i < list.size; i += static_cast<int>(kThreads / 32))
    join_entry(list, i, partial, y + i);
}

DType dtype_of(std::span<const ConstView> list) { return list.empty() ? DType::kF32 : list[0].dtype; }

void run_here(const RepeatList& k, Context& context) {
  IL_CHECK(k.theta.size() == k.out.size(), "repeat_list: {} tensors into {}", k.theta.size(), k.out.size());
  with_float(dtype_of(k.theta), "repeat_list", [&]<class T>(T) {
    in_lists(
        k.out.size(),
        [&](std::size_t i) {
          return ListEntry{k.theta[i].data, nullptr, k.out[i].data,           nullptr,
                           nullptr,         k.out[i].shape.numel(), k.theta[i].shape.numel(), 0};
        },
        [&](const List& list, std::size_t, std::int32_t blocks) {
          launch(repeat_list_kernel<T>, dim3(static_cast<unsigned>(blocks)), dim3(kThreads), 0, stream_of(context), list);
        });
  });
}

void run_here(const SgdList& k, Context& context) {
  IL_CHECK(k.theta.size() == k.grad.size() && k.theta.size() == k.out.size(), "sgd_list: {}, {} and {} tensors",
           k.theta.size(), k.grad.size(), k.out.size());
  with_float(dtype_of(k.theta), "sgd_list", [&]<class T>(T) {
    in_lists(
        k.out.size(),
        [&](std::size_t i) {
          return ListEntry{k.theta[i].data, k.grad[i].data,           k.out[i].data,           nullptr,
                           nullptr,         k.out[i].shape.numel(), k.theta[i].shape.numel(), 0};
        },
        [&](const List& list, std::size_t, std::int32_t blocks) {
          launch(sgd_list_kernel<T>, dim3(static_cast<unsigned>(blocks)), dim3(kThreads), 0, stream_of(context), list,
                 static_cast<T>(k.rate), k.rate_from.as<double>());
        });
  });
}

void run_here(const AdamList& k, Context& context) {
  const std::size_t n = k.theta.size();
  IL_CHECK(k.grad.size() == n && k.m.size() == n && k.v.size() == n, "adam_list: {}, {}, {} and {} tensors",
           k.grad.size(), n, k.m.size(), k.v.size());
  with_float(dtype_of(k.grad), "adam_list", [&]<class T>(T) {
    const AdamConstants<T> constants = adam_constants<T>(k);
    in_lists(
        n,
        [&](std::size_t i) {
          const std::int64_t count = k.theta[i].shape.numel();
          return ListEntry{k.grad[i].data, nullptr, k.theta[i].data, k.m[i].data, k.v[i].data, count, count, 0};
        },
        [&](const List& list, std::size_t, std::int32_t blocks) {
          launch(adam_list_kernel<T>, dim3(static_cast<unsigned>(blocks)), dim3(kThreads), 0, stream_of(context), list,
                 constants, k.schedule.as<double>());
        });
  });
}

void run_here(const MeanOverTasksList& k, Context& context) {
  IL_CHECK(k.x.size() == k.y.size(), "mean_over_tasks_list: {} tensors into {}", k.x.size(), k.y.size());
  with_float(dtype_of(k.x), "mean_over_tasks_list", [&]<class T>(T) {
    in_lists(
        k.x.size(),
        [&](std::size_t i) {
          const std::int64_t count = k.y[i].shape.numel();
          return ListEntry{k.x[i].data, nullptr, k.y[i].data, nullptr, nullptr, count, k.x[i].shape[0], 0};
        },
        [&](const List& list, std::size_t, std::int32_t blocks) {
          launch(mean_list_kernel<T>, dim3(static_cast<unsigned>(blocks)), dim3(kThreads), 0, stream_of(context), list,
                 static_cast<double>(k.tasks));
        });
  });
}

void run_here(const SumOfSquaresList& k, Context& context) {
  IL_CHECK(k.y.shape.numel() == static_cast<std::int64_t>(k.x.size()), "sum_of_squares_list: {} tensors into {}",
           k.x.size(), k.y.shape.to_string());
  with_float(dtype_of(k.x), "sum_of_squares_list", [&]<class T>(T) {
    in_lists(
        k.x.size(),
        [&](std::size_t i) {
          const std::int64_t count = k.x[i].shape.numel();
          return ListEntry{k.x[i].data, nullptr, nullptr, nullptr, nullptr, count, count, 0};
        },
        [&](const List& list, std::size_t first, std::int32_t blocks) {
          const auto scratch = context.arena().allocate(static_cast<std::size_t>(blocks) * sizeof(double));
          double* partial = static_cast<double*>(scratch.get());
          launch(squares_list_kernel<T>, dim3(static_cast<unsigned>(blocks)), dim3(kThreads), 0, stream_of(context), list,
                 partial, k.y.as<double>() + first, tickets_of(context));
        });
  });
}

IL_REGISTER_KERNEL(RepeatList);
IL_REGISTER_KERNEL(SgdList);
IL_REGISTER_KERNEL(AdamList);
IL_REGISTER_KERNEL(MeanOverTasksList);
IL_REGISTER_KERNEL(SumOfSquaresList);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
