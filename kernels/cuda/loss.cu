// Softmax cross-entropy, one-hot labels, accuracy. Rows of a task are dealt to the threads of one block (loss_rows.cuh), and
// their losses summed in an order that the shape alone decides.
#include "kernels/loss.h"

#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/dispatch.h"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/loss_rows.cuh"
#include "kernels/cuda/math.cuh"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

struct Extents {
  std::int64_t tasks, samples, classes;
  double c;  ///< the weight of one sample in its task's loss
};

Extents extents_of(const ConstView& logits, LossReduction reduction) {
  const Shape& s = logits.shape;
  IL_CHECK(s.rank() == 3, "softmax_cross_entropy: {} is not [T, N, C]", s.to_string());
  const double c = reduction == LossReduction::kSum || s[1] == 0 ? 1.0 : 1.0 / static_cast<double>(s[1]);
  return {s[0], s[1], s[2], c};
}

/// A block is a task.
template <class T>
__global__ void __launch_bounds__(kBlock)
    loss_forward_kernel(const T* logits, const std::int64_t* labels, T* loss, T* prob, Extents e) {
  grid_dependency_sync();
  const std::int64_t first = threadIdx.x % kRowThreads;
  double total = 0;
  for (std::int64_t begin = 0; begin < e.samples; begin += kRows) {  // the same trips for every thread: it shuffles
    const std::int64_t n = begin + threadIdx.x / kRowThreads, row = blockIdx.x * e.samples + n;
    const std::int64_t classes = n < e.samples ? e.classes : 0;
    const T* const x = logits + row * e.classes;
    T* const p = prob + row * e.classes;
    T high = static_cast<T>(-__builtin_huge_val());
    for (std::int64_t c = first; c < classes; c += kRowThreads) high = x[c] > high ? x[c] : high;
    high = row_max(high);
    double sum = 0;
    for (std::int64_t c = first; c < classes; c += kRowThreads) {
      const T power = exp_of(x[c] - high);
      p[c] = power;
      sum += static_cast<double>(power);
    }
    sum = row_sum(sum);
    for (std::int64_t c = first; c < classes; c += kRowThreads) p[c] = static_cast<T>(static_cast<double>(p[c]) / sum);
    if (first == 0 && n < e.samples) {
      const std::int64_t label = labels[row];
      const bool known = label >= 0 && label < e.classes;
      total += log_of(sum) - (known ? static_cast<double>(x[label] - high) : static_cast<double>(__builtin_nanf("")));
    }
  }
  total = sum_of_rows(total);
  if (threadIdx.x == 0) loss[blockIdx.x] = static_cast<T>(e.c * total);
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    loss_grad_kernel(const T* prob, const std::int64_t* labels, const T* g, T* out, Extents e) {
  grid_dependency_sync();
  const std::int64_t n = e.tasks * e.samples * e.classes, stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride) {
    const std::int64_t row = i / e.classes, c = i - row * e.classes;
    const T scale = static_cast<T>(e.c * (g != nullptr ? static_cast<double>(g[row / e.samples]) : 1.0));
    out[i] = scale * (c == labels[row] ? prob[i] - 1 : prob[i]);
  }
}

/// g (one), tlogits and tg (zero) may be null.
template <class T>
__global__ void __launch_bounds__(kBlock)
    loss_grad_jvp_kernel(const T* prob, const std::int64_t* labels, const T* g, const T* tlogits, const T* tg, T* out,
                    Extents e) {
  grid_dependency_sync();
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * kRows + threadIdx.x / kRowThreads;
  const std::int64_t first = threadIdx.x % kRowThreads, at = row * e.classes;
  const bool exists = row < e.tasks * e.samples;
  const std::int64_t classes = exists ? e.classes : 0;
  double along = 0;  // <prob, tlogits>
  if (tlogits != nullptr) {
    for (std::int64_t c = first; c < classes; c += kRowThreads)
      along += static_cast<double>(prob[at + c]) * static_cast<double>(tlogits[at + c]);
    along = row_sum(along);
  }
  if (!exists) return;
  const std::int64_t t = row / e.samples, label = labels[row];
  const T scale = static_cast<T>(e.c * (g != nullptr ? static_cast<double>(g[t]) : 1.0));
  const T tscale = tg != nullptr ? static_cast<T>(e.c * static_cast<double>(tg[t])) : T{0};
  for (std::int64_t c = first; c < classes; c += kRowThreads) {
    const T p = prob[at + c];
    const T tprob =
        tlogits != nullptr ? p * static_cast<T>(static_cast<double>(tlogits[at + c]) - along) : T{0};
    out[at + c] = scale * tprob + tscale * (c == label ? p - 1 : p);
  }
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    one_hot_kernel(const std::int64_t* labels, T* out, std::int64_t n, std::int64_t classes) {
  grid_dependency_sync();
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride) {
    const std::int64_t row = i / classes, label = labels[row];
    const T other = label >= 0 && label < classes ? T{0} : static_cast<T>(__builtin_nanf(""));
    out[i] = i - row * classes == label ? T{1} : other;
  }
}

/// A block is a task.
template <class In, class Out>
__global__ void __launch_bounds__(kBlock)
    accuracy_kernel(const In* logits, const std::int64_t* labels, Out* accuracy, std::int64_t samples,
                    std::int64_t classes) {
  grid_dependency_sync();
  const std::int64_t first = threadIdx.x % kRowThreads;
  double hits = 0;
  for (std::int64_t begin = 0; begin < samples; begin += kRows) {
    const std::int64_t n = begin + threadIdx.x / kRowThreads, row = blockIdx.x * samples + n;
    FirstLargest<In> largest(first);
    for (std::int64_t c = first; n < samples && c < classes; c += kRowThreads) largest.see(logits[row * classes + c], c);
    const std::int64_t best = largest.of_row();
    if (first == 0 && n < samples && best == labels[row]) hits += 1;
  }
  hits = sum_of_rows(hits);
  if (threadIdx.x == 0) accuracy[blockIdx.x] = static_cast<Out>(hits / static_cast<double>(samples));
}

void run_here(const SoftmaxCrossEntropy& k, Context& context) {
  const Extents e = extents_of(k.logits, k.reduction);
  if (e.tasks == 0) return;
  with_float(k.logits.dtype, "softmax_cross_entropy", [&]<class T>(T) {
    launch(loss_forward_kernel<T>, dim3(static_cast<unsigned>(e.tasks)), dim3(kBlock), 0, stream_of(context),
           k.logits.as<T>(), k.labels.as<std::int64_t>(), k.loss.as<T>(), k.prob.as<T>(), e);
  });
}

void run_here(const SoftmaxCrossEntropyGrad& k, Context& context) {
  const Extents e = extents_of(k.prob, k.reduction);
  const std::int64_t n = e.tasks * e.samples * e.classes;
  if (n == 0) return;
  with_float(k.prob.dtype, "softmax_cross_entropy_grad", [&]<class T>(T) {
    launch(loss_grad_kernel<T>, dim3(blocks_for(n)), dim3(kBlock), 0, stream_of(context), k.prob.as<T>(),
           k.labels.as<std::int64_t>(), k.g.as<T>(), k.glogits.as<T>(), e);
  });
}

void run_here(const SoftmaxCrossEntropyGradJvp& k, Context& context) {
  const Extents e = extents_of(k.prob, k.reduction);
  if (e.tasks * e.samples * e.classes == 0) return;
  const std::int64_t blocks = (e.tasks * e.samples + kRows - 1) / kRows;
  with_float(k.prob.dtype, "softmax_cross_entropy_grad_jvp", [&]<class T>(T) {
    launch(loss_grad_jvp_kernel<T>, dim3(static_cast<unsigned>(blocks)), dim3(kBlock), 0, stream_of(context), k.prob.as<T>(),
           k.labels.as<std::int64_t>(), k.g.as<T>(), k.tlogits.as<T>(), k.tg.as<T>(), k.tglogits.as<T>(), e);
  });
}

void run_here(const OneHot& k, Context& context) {
  const std::int64_t n = k.out.shape.numel(), classes = k.out.shape[-1];
  IL_CHECK(k.labels.dtype == DType::kI64 && k.out.shape == k.labels.shape.append(classes),
           "one_hot: labels {} ({}) and out {}; i64 [T, N] and [T, N, C] are needed", k.labels.shape.to_string(),
           name_of(k.labels.dtype), k.out.shape.to_string());
  with_float(k.out.dtype, "one_hot", [&]<class T>(T) {
    if (n == 0) return;
    launch(one_hot_kernel<T>, dim3(blocks_for(n)), dim3(kBlock), 0, stream_of(context), k.labels.as<std::int64_t>(),
           k.out.as<T>(), n, classes);
  });
}

void run_here(const Accuracy& k, Context& context) {
  const Shape& s = k.logits.shape;
  IL_CHECK(s.rank() == 3, "accuracy: {} is not [T, N, C]", s.to_string());
  if (s[0] == 0) return;
  with_float(k.logits.dtype, "accuracy", [&]<class In>(In) {
    with_float(k.accuracy.dtype, "accuracy", [&]<class Out>(Out) {
      launch(accuracy_kernel<In, Out>, dim3(static_cast<unsigned>(s[0])), dim3(kBlock), 0, stream_of(context),
             k.logits.as<In>(), k.labels.as<std::int64_t>(), k.accuracy.as<Out>(), s[1], s[2]);
    });
  });
}

IL_REGISTER_KERNEL(SoftmaxCrossEntropy);
IL_REGISTER_KERNEL(SoftmaxCrossEntropyGrad);
IL_REGISTER_KERNEL(SoftmaxCrossEntropyGradJvp);
IL_REGISTER_KERNEL(OneHot);
IL_REGISTER_KERNEL(Accuracy);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
