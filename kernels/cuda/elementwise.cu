// Elementwise maps: one read of each operand and one write, in packs.
#include "kernels/elementwise.h"

#include "kernels/cuda/broadcast.h"
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/dispatch.h"
#include "kernels/cuda/math.cuh"
#include "kernels/cuda/pack.cuh"
#include "tensor/philox.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

template <UnaryFn kFn, class T>
__device__ __forceinline__ T unary_of(T x) {
  if constexpr (kFn == UnaryFn::kNegate) return -x;
  if constexpr (kFn == UnaryFn::kExp) return exp_of(x);
  if constexpr (kFn == UnaryFn::kLog) return log_of(x);
  if constexpr (kFn == UnaryFn::kSqrt) return sqrt_of(x);
  if constexpr (kFn == UnaryFn::kRsqrt) return 1 / sqrt_of(x);
  if constexpr (kFn == UnaryFn::kReciprocal) return 1 / x;
  if constexpr (kFn == UnaryFn::kSquare) return x * x;
  if constexpr (kFn == UnaryFn::kRelu) return x < 0 ? T{0} : x;
  if constexpr (kFn == UnaryFn::kStep) return x > 0 ? T{1} : T{0};
  if constexpr (kFn == UnaryFn::kTanh) return tanh_of(x);
  if constexpr (kFn == UnaryFn::kSigmoid) return 1 / (1 + exp_of(-x));
}

template <BinaryFn kFn, class T>
__device__ __forceinline__ T binary_of(T a, T b) {
  if constexpr (kFn == BinaryFn::kAdd) return a + b;
  if constexpr (kFn == BinaryFn::kSubtract) return a - b;
  if constexpr (kFn == BinaryFn::kMultiply) return a * b;
  if constexpr (kFn == BinaryFn::kDivide) return a / b;
}

template <UnaryFn kFn, class T>
struct UnaryBody {
  const T* x;
  T* y;
  template <int kWidth>
  __device__ void at(std::int64_t i) const {
    auto value = load_pack<kWidth>(x + i);
    for (T& e : value.lane) e = unary_of<kFn>(e);
    store_pack(y + i, value);
  }
};

template <class T>
struct AffineBody {
  T scale, offset;
  const T* x;
  T* y;
  template <int kWidth>
  __device__ void at(std::int64_t i) const {
    auto value = load_pack<kWidth>(x + i);
    for (T& e : value.lane) e = scale * e + offset;
    store_pack(y + i, value);
  }
};

/// A pack of an operand: neighbours, or one element for all of it.
template <int kWidth, class T>
__device__ __forceinline__ Pack<T, kWidth> operand_pack(const T* from, std::int64_t stride) {
  if (kWidth == 1 || stride != 0) return load_pack<kWidth>(from);
  Pack<T, kWidth> pack;
  const T value = *from;
  for (T& e : pack.lane) e = value;
  return pack;
}

template <BinaryFn kFn, class T>
struct BinaryBody {
  BroadcastPlan<2> plan;
  const T *a, *b;
  T* y;
  template <int kWidth>
  __device__ void at(std::int64_t i) const {
    std::int64_t from[2];
    plan.offsets(i, from);
    auto left = operand_pack<kWidth>(a + from[0], plan.stride[0][0]);
    const auto right = operand_pack<kWidth>(b + from[1], plan.stride[1][0]);
    for (int j = 0; j < kWidth; ++j) left.lane[j] = binary_of<kFn>(left.lane[j], right.lane[j]);
    store_pack(y + i, left);
  }
};

template <class T>
struct BroadcastBody {
  BroadcastPlan<1> plan;
  T scale;
  const T* x;
  T* y;
  template <int kWidth>
  __device__ void at(std::int64_t i) const {
    std::int64_t from[1];
    plan.offsets(i, from);
    auto value = operand_pack<kWidth>(x + from[0], plan.stride[0][0]);
    for (T& e : value.lane) e *= scale;
    store_pack(y + i, value);
  }
};

/// A thread draws one block of four numbers. The mask's packs of float64 are two elements, hence the loop.
template <class T>
__global__ void __launch_bounds__(kBlock)
    dropout_kernel(T* mask, std::int64_t n, double rate, T keep, std::uint64_t seed, std::uint32_t step,
                   std::uint32_t task, Packs packs) {
  grid_dependency_sync();
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  for (std::int64_t i = 4 * first; i < n; i += 4 * stride) {
    const PhiloxBlock draw = random_block(seed, Stream::kDropout, step, task, static_cast<std::uint32_t>(i / 4));
    T value[4];
    for (int j = 0; j < 4; ++j) value[j] = static_cast<double>(uniform01(draw.word[j])) < rate ? T{0} : keep;
    if (packs == Packs::kFit && i + 4 <= n) {
      for (int j = 0; j < 4; j += kPack<T>) {
        Pack<T, kPack<T>> pack;
        for (int l = 0; l < kPack<T>; ++l) pack.lane[l] = value[j + l];
        store_pack(mask + i + j, pack);
      }
    } else {
      for (int j = 0; j < 4 && i + j < n; ++j) mask[i + j] = value[j];
    }
  }
}

template <UnaryFn kFn>
void unary(const Unary& k, Context& context) {
  with_float(k.y.dtype, "unary", [&]<class T>(T) {
    for_each_pack<T>(stream_of(context), k.y.shape.numel(), packs_fit({k.x.data, k.y.data}),
                     UnaryBody<kFn, T>{k.x.as<T>(), k.y.as<T>()});
  });
}

template <BinaryFn kFn>
void binary(const Binary& k, Context& context) {
  if (k.y.shape.numel() == 0) return;
  with_float(k.y.dtype, "binary", [&]<class T>(T) {
    const BroadcastPlan<2> plan(k.y.shape, {&k.a.shape, &k.b.shape});
    // A pack lies in one innermost line, unless there is only one.
    const Packs packs = packs_fit({k.a.data, k.b.data, k.y.data}, kPack<T>, {plan.rank > 1 ? plan.extent[0] : 0});
    for_each_pack<T>(stream_of(context), k.y.shape.numel(), packs,
                     BinaryBody<kFn, T>{plan, k.a.as<T>(), k.b.as<T>(), k.y.as<T>()});
  });
}

void run_here(const Unary& k, Context& context) {
  switch (k.fn) {
    case UnaryFn::kNegate: return unary<UnaryFn::kNegate>(k, context);
    case UnaryFn::kExp: return unary<UnaryFn::kExp>(k, context);
    case UnaryFn::kLog: return unary<UnaryFn::kLog>(k, context);
    case UnaryFn::kSqrt: return unary<UnaryFn::kSqrt>(k, context);
    case UnaryFn::kRsqrt: return unary<UnaryFn::kRsqrt>(k, context);
    case UnaryFn::kReciprocal: return unary<UnaryFn::kReciprocal>(k, context);
    case UnaryFn::kSquare: return unary<UnaryFn::kSquare>(k, context);
    case UnaryFn::kRelu: return unary<UnaryFn::kRelu>(k, context);
    case UnaryFn::kStep: return unary<UnaryFn::kStep>(k, context);
    case UnaryFn::kTanh: return unary<UnaryFn::kTanh>(k, context);
    case UnaryFn::kSigmoid: return unary<UnaryFn::kSigmoid>(k, context);
  }
  fail("unary: function {} is unknown", static_cast<int>(k.fn));
}

void run_here(const Binary& k, Context& context) {
  switch (k.fn) {
    case BinaryFn::kAdd: return binary<BinaryFn::kAdd>(k, context);
    case BinaryFn::kSubtract: return binary<BinaryFn::kSubtract>(k, context);
    case BinaryFn::kMultiply: return binary<BinaryFn::kMultiply>(k, context);
    case BinaryFn::kDivide: return binary<BinaryFn::kDivide>(k, context);
  }
  fail("binary: function {} is unknown", static_cast<int>(k.fn));
}

void run_here(const Affine& k, Context& context) {
  with_float(k.y.dtype, "affine", [&]<class T>(T) {
    for_each_pack<T>(stream_of(context), k.y.shape.numel(), packs_fit({k.x.data, k.y.data}),
                     AffineBody<T>{static_cast<T>(k.scale), static_cast<T>(k.offset), k.x.as<T>(), k.y.as<T>()});
  });
}

void run_here(const BroadcastTo& k, Context& context) {
  if (k.y.shape.numel() == 0) return;
  with_float(k.y.dtype, "broadcast_to", [&]<class T>(T) {
    const BroadcastPlan<1> plan(k.y.shape, {&k.x.shape});
    const Packs packs = packs_fit({k.x.data, k.y.data}, kPack<T>, {plan.rank > 1 ? plan.extent[0] : 0});
    for_each_pack<T>(stream_of(context), k.y.shape.numel(), packs, BroadcastBody<T>{plan, static_cast<T>(k.scale), k.x.as<T>(), k.y.as<T>()});
  });
}

void run_here(const DropoutMask& k, Context& context) {
  const std::int64_t n = k.mask.shape.numel();
  with_float(k.mask.dtype, "dropout_mask", [&]<class T>(T) {
    if (n == 0) return;
    launch(dropout_kernel<T>, dim3(blocks_for(n, 4)), dim3(kBlock), 0, stream_of(context), k.mask.as<T>(), n, k.rate,
           static_cast<T>(1 / (1 - k.rate)), k.seed, k.step, k.task, packs_fit({k.mask.data}));
  });
}

IL_REGISTER_KERNEL(Unary);
IL_REGISTER_KERNEL(Binary);
IL_REGISTER_KERNEL(Affine);
IL_REGISTER_KERNEL(BroadcastTo);
IL_REGISTER_KERNEL(DropoutMask);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
