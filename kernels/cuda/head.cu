// The head with its loss, a block a task, where features and classes are few (a 5 x 5 x 32 grid and 5 classes: 800 x 5): one
// launch in place of eight, the tangent one in place of ten. Larger heads are composed.
//
// Logits are made by warps, a row each, lanes along the features; softmax by kRowThreads threads a row (loss_rows.cuh); the
// products with d by one thread an element. A sum is made in T over at most kRun terms at a time and joined in float64.
#include "kernels/inner_step.h"

#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/dispatch.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/loss_rows.cuh"
#include "kernels/cuda/math.cuh"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

constexpr std::int64_t kMostProducts = std::int64_t{1} << 19;  ///< of one task: beyond, one block takes too long
constexpr std::int64_t kMostLogits = 2560;                     ///< of one task, twice in shared memory
constexpr unsigned kLanes = 32, kRun = 32;
constexpr unsigned kClassesAtOnce = 4;

/// Sizes of a task and the addresses of one task's part of each operand.
struct Size {
  unsigned samples, features, classes;
  double c;  ///< the weight of one sample
};

/// What is written of a gradient: itself, or the parameter after a step along it.
template <class T>
struct Written {
  bool step = false;
  T rate = 0;
  __device__ __forceinline__ T operator()(const T* parameter, unsigned i, T gradient) const {
    return step ? descended(parameter[i], rate, gradient) : gradient;
  }
};

template <class T>
struct Forward {
  Size size;
  const T *x, *w, *bias;
  const std::int64_t* labels;
  T *loss, *prob, *gx, *gw, *gbias;
  double* accuracy;  ///< may be null
  Written<T> written;
};

template <class T>
struct Tangent {
  Size size;
  const T *x, *w, *prob;
  const std::int64_t* labels;
  const T *tx, *tw, *tbias;  ///< null: zero
  T *tgx, *tgw, *tgbias;
  Written<T> written;
};

/// sum over i < count of term(i), in T over runs and float64 over these.
template <class T, class Term>
__device__ __forceinline__ T sum_in_runs(unsigned count, const Term& term) {
  double total = 0;
  for (unsigned begin = 0; begin < count; begin += kRun) {
    T sum{0};
    const unsigned end = min(count, begin + kRun);
    for (unsigned i = begin; i < end; ++i) sum = fma(term.left(i), term.right(i), sum);
    total += static_cast<double>(sum);
  }
  return static_cast<T>(total);
}

/// What a lane has of <a, b[:, class]> for kClassesAtOnce classes from `first` on, added to `total`.
template <class T>
__device__ __forceinline__ void add_products(const Size& s, const T* a, const T* b, unsigned first,
                                             double (&total)[kClassesAtOnce]) {
  const unsigned lane = threadIdx.x % kLanes, count = min(kClassesAtOnce, s.classes - first);
  for (unsigned begin = lane; begin < s.features; begin += kRun * kLanes) {
    T sum[kClassesAtOnce] = {};
    for (unsigned i = 0; i < kRun && begin + i * kLanes < s.features; ++i) {
      const unsigned f = begin + i * kLanes;
      const T value = a[f];
#pragma unroll
      for (unsigned j = 0; j < kClassesAtOnce; ++j)
        if (j < count) sum[j] = fma(value, b[f * s.classes + first + j], sum[j]);
    }
#pragma unroll
    for (unsigned j = 0; j < kClassesAtOnce; ++j) total[j] += static_cast<double>(sum[j]);
  }
}

/// logits[n, class] = <a0[n], b0[:, class]> + <a1[n], b1[:, class]> + bias[class]; pairs with a null are left out.
template <class T>
__device__ __forceinline__ void make_logits(const Size& s, const T* a0, const T* b0, const T* a1, const T* b1,
                                            const T* bias, T* logits) {
  const unsigned lane = threadIdx.x % kLanes;
  for (unsigned n = threadIdx.x / kLanes; n < s.samples; n += kBlock / kLanes) {
    for (unsigned first = 0; first < s.classes; first += kClassesAtOnce) {
      double total[kClassesAtOnce] = {};
      if (a0 != nullptr && b0 != nullptr) add_products(s, a0 + n * s.features, b0, first, total);
      if (a1 != nullptr && b1 != nullptr) add_products(s, a1 + n * s.features, b1, first, total);
#pragma unroll
      for (unsigned j = 0; j < kClassesAtOnce; ++j) {
        const unsigned c = first + j;
#pragma unroll
        for (unsigned d = kLanes / 2; d > 0; d /= 2)
          total[j] += __shfl_xor_sync(kAllLanes, total[j], static_cast<int>(d));
        if (lane == j && c < s.classes)
          logits[n * s.classes + c] = static_cast<T>(total[j] + (bias != nullptr ? static_cast<double>(bias[c]) : 0.0));
      }
    }
  }
}

/// The two factors of a sum's terms.
template <class T>
struct Rows {
  const T *a, *b;
  unsigned step_a, step_b;
  __device__ __forceinline__ T left(unsigned i) const { return a[i * step_a]; }
  __device__ __forceinline__ T right(unsigned i) const { return b[i * step_b]; }
};

/// d w^T at (n, f), and x^T d at (f, class).
template <class T>
__device__ __forceinline__ T at_feature(const Size& s, const T* d, const T* w, unsigned n, unsigned f) {
  return sum_in_runs<T>(s.classes, Rows<T>{d + n * s.classes, w + f * s.classes, 1, 1});
}
template <class T>
__device__ __forceinline__ T at_weight(const Size& s, const T* x, const T* d, unsigned f, unsigned c) {
  return sum_in_runs<T>(s.samples, Rows<T>{x + f, d + c, s.features, s.classes});
}
template <class T>
__device__ __forceinline__ T at_bias(const Size& s, const T* d, unsigned c) {
  double total = 0;
  for (unsigned n = 0; n < s.samples; ++n) total += static_cast<double>(d[n * s.classes + c]);
  return static_cast<T>(total);
}

template <class T>
__device__ __forceinline__ const T* of_task(const T* data, unsigned elements) {
  return data == nullptr ? nullptr : data + static_cast<std::int64_t>(blockIdx.x) * elements;
}
template <class T>
__device__ __forceinline__ T* of_task(T* data, unsigned elements) {
  return data == nullptr ? nullptr : data + static_cast<std::int64_t>(blockIdx.x) * elements;
}

template <class T>
__global__ void __launch_bounds__(kBlock) head_loss_kernel(Forward<T> k) {
  grid_dependency_sync();
  IL_DYNAMIC_SHARED(T, d);  // the logits, then d
  const Size s = k.size;
  const T *x = of_task(k.x, s.samples * s.features), *w = of_task(k.w, s.features * s.classes);
  const std::int64_t* labels = of_task(k.labels, s.samples);
  T* prob = of_task(k.prob, s.samples * s.classes);
  make_logits<T>(s, x, w, nullptr, nullptr, of_task(k.bias, s.classes), d);
  __syncthreads();

  const unsigned first = threadIdx.x % kRowThreads;
  double total = 0, hits = 0;
  for (unsigned begin = 0; begin < s.samples; begin += kRows) {  // the same trips for every thread: it shuffles
    const unsigned n = begin + threadIdx.x / kRowThreads, classes = n < s.samples ? s.classes : 0;
    T* const row = d + n * s.classes;
    FirstLargest<T> largest(first);
    T high = -FirstLargest<T>::kInfinity;
    for (unsigned c = first; c < classes; c += kRowThreads) {
      largest.see(row[c], c);
      high = row[c] > high ? row[c] : high;
    }
    high = row_max(high);
    const std::int64_t best = largest.of_row(), label = classes > 0 ? labels[n] : -1;
    const bool known = label >= 0 && label < classes;
    if (first == 0 && classes > 0) {
      hits += best == label ? 1 : 0;
      total -= known ? static_cast<double>(row[label] - high) : static_cast<double>(__builtin_nanf(""));
    }
    __syncwarp();  // the label's logit is read before its place is used again
    double sum = 0;
    for (unsigned c = first; c < classes; c += kRowThreads) {
      row[c] = exp_of(row[c] - high);
      sum += static_cast<double>(row[c]);
    }
    sum = row_sum(sum);
    if (first == 0 && classes > 0) total += log_of(sum);
    for (unsigned c = first; c < classes; c += kRowThreads) {
      const T p = static_cast<T>(static_cast<double>(row[c]) / sum);
      prob[n * s.classes + c] = p;
      row[c] = static_cast<T>(s.c) * (c == label ? p - 1 : p);
    }
  }
  total = sum_of_rows(total);
  if (threadIdx.x == 0) k.loss[blockIdx.x] = static_cast<T>(s.c * total);
  if (k.accuracy != nullptr) {
    __syncthreads();
    hits = sum_of_rows(hits);
    if (threadIdx.x == 0) k.accuracy[blockIdx.x] = hits / static_cast<double>(s.samples);
  }
  __syncthreads();

  T *gx = of_task(k.gx, s.samples * s.features), *gw = of_task(k.gw, s.features * s.classes);
  for (unsigned i = threadIdx.x; i < s.samples * s.features; i += kBlock)
    gx[i] = at_feature(s, d, w, i / s.features, i % s.features);
  for (unsigned i = threadIdx.x; i < s.features * s.classes; i += kBlock)
    gw[i] = k.written(w, i, at_weight(s, x, d, i / s.classes, i % s.classes));
  const T* bias = of_task(k.bias, s.classes);
  for (unsigned c = threadIdx.x; c < s.classes; c += kBlock)
    of_task(k.gbias, s.classes)[c] = k.written(bias, c, at_bias(s, d, c));
}

template <class T>
__global__ void __launch_bounds__(kBlock) head_loss_jvp_kernel(Tangent<T> k) {
  grid_dependency_sync();
  IL_DYNAMIC_SHARED(T, td);  // the logits' tangents, then td
  const Size s = k.size;
  T* const d = td + s.samples * s.classes;
  const T *x = of_task(k.x, s.samples * s.features), *w = of_task(k.w, s.features * s.classes);
  const T *tx = of_task(k.tx, s.samples * s.features), *tw = of_task(k.tw, s.features * s.classes);
  const T* prob = of_task(k.prob, s.samples * s.classes);
  const std::int64_t* labels = of_task(k.labels, s.samples);
  make_logits(s, tx, w, x, tw, of_task(k.tbias, s.classes), td);
  __syncthreads();

  const unsigned first = threadIdx.x % kRowThreads;
  for (unsigned begin = 0; begin < s.samples; begin += kRows) {
    const unsigned n = begin + threadIdx.x / kRowThreads, classes = n < s.samples ? s.classes : 0, at = n * s.classes;
    double mean = 0;  // <prob, tlogits>
    for (unsigned c = first; c < classes; c += kRowThreads)
      mean += static_cast<double>(prob[at + c]) * static_cast<double>(td[at + c]);
    mean = row_sum(mean);
    const std::int64_t label = classes > 0 ? labels[n] : -1;
    for (unsigned c = first; c < classes; c += kRowThreads) {
      const T p = prob[at + c], tlogit = td[at + c];
      d[at + c] = static_cast<T>(s.c) * (c == label ? p - 1 : p);
      td[at + c] = static_cast<T>(s.c) * (p * static_cast<T>(static_cast<double>(tlogit) - mean));
    }
  }
  __syncthreads();

  T *tgx = of_task(k.tgx, s.samples * s.features), *tgw = of_task(k.tgw, s.features * s.classes);
  for (unsigned i = threadIdx.x; i < s.samples * s.features; i += kBlock) {
    const unsigned n = i / s.features, f = i % s.features;
    const T moved = tw != nullptr ? at_feature(s, d, tw, n, f) : T{0};
    tgx[i] = at_feature(s, td, w, n, f) + moved;
  }
  for (unsigned i = threadIdx.x; i < s.features * s.classes; i += kBlock) {
    const unsigned f = i / s.classes, c = i % s.classes;
    const T moved = tx != nullptr ? at_weight(s, tx, d, f, c) : T{0};
    tgw[i] = k.written(tw, i, at_weight(s, x, td, f, c) + moved);
  }
  const T* tbias = of_task(k.tbias, s.classes);
  for (unsigned c = threadIdx.x; c < s.classes; c += kBlock)
    of_task(k.tgbias, s.classes)[c] = k.written(tbias, c, at_bias(s, td, c));
}

/// Sizes where a block a task is the way; nothing where the head is composed.
Size size_of_task(const ConstView& x, const ConstView& w, LossReduction reduction) {
  const std::int64_t samples = x.shape[1], features = x.shape[2], classes = w.shape[2];
  if (samples == 0 || features == 0 || classes == 0 || samples * classes > kMostLogits ||
      samples * classes * features > kMostProducts)
    return {};
  const double c = reduction == LossReduction::kSum ? 1.0 : 1.0 / static_cast<double>(samples);
  return {static_cast<unsigned>(samples), static_cast<unsigned>(features), static_cast<unsigned>(classes), c};
}

/// How a parameter's gradient is used.
struct Use {
  bool step = false;
  double rate = 0;
};

/// Whether one launch does it; nothing is done where not.
bool launch_head(const HeadLoss& k, const Use& use, Context& context) {
  const Size size = size_of_task(k.x, k.w, k.reduction);
  const auto tasks = static_cast<unsigned>(k.x.shape[0]);
  if (size.samples == 0 || tasks == 0) return false;
  with_float(k.x.dtype, HeadLoss::kName, [&]<class T>(T) {
    const Forward<T> f{size,
                       k.x.as<T>(),
                       k.w.as<T>(),
                       k.bias.as<T>(),
                       k.labels.as<std::int64_t>(),
                       k.loss.as<T>(),
                       k.prob.as<T>(),
                       k.gx.as<T>(),
                       k.gw.as<T>(),
                       k.gbias.as<T>(),
                       k.accuracy.as<double>(),
                       {use.step, static_cast<T>(use.rate)}};
    launch(head_loss_kernel<T>, dim3(tasks), dim3(kBlock), size.samples * size.classes * sizeof(T), stream_of(context), f);
  });
  return true;
}

bool launch_head(const HeadLossJvp& k, const Use& use, Context& context) {
  const Size size = size_of_task(k.x, k.w, k.reduction);
  const auto tasks = static_cast<unsigned>(k.x.shape[0]);
  if (size.samples == 0 || tasks == 0) return false;
  with_float(k.x.dtype, HeadLossJvp::kName, [&]<class T>(T) {
    const Tangent<T> t{size,
                       k.x.as<T>(),
                       k.w.as<T>(),
                       k.prob.as<T>(),
                       k.labels.as<std::int64_t>(),
                       k.tx.as<T>(),
                       k.tw.as<T>(),
                       k.tbias.as<T>(),
                       k.tgx.as<T>(),
                       k.tgw.as<T>(),
                       k.tgbias.as<T>(),
                       {use.step, static_cast<T>(use.rate)}};
    launch(head_loss_jvp_kernel<T>, dim3(tasks), dim3(kBlock), 2 * size.samples * size.classes * sizeof(T),
           stream_of(context), t);
  });
  return true;
}

void run_here(const HeadLoss& k, Context& context) {
  check(k);
  if (!launch_head(k, {}, context)) compose(k, context);
}
void run_here(const HeadLossJvp& k, Context& context) {
  check(k);
  if (!launch_head(k, {}, context)) compose(k, context);
}
void run_here(const HeadStep& k, Context& context) {
  check(k);
  if (!launch_head(k.head, {true, k.rate}, context)) compose(k, context);
}
void run_here(const HeadStepJvp& k, Context& context) {
  check(k);
  if (!launch_head(k.head, {true, k.rate}, context)) compose(k, context);
}

IL_REGISTER_KERNEL(HeadLoss);
IL_REGISTER_KERNEL(HeadLossJvp);
IL_REGISTER_KERNEL(HeadStep);
IL_REGISTER_KERNEL(HeadStepJvp);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
