// Elementwise maps. The loops are plain; the compiler makes vectors of them. `ivdep` says what the contract says: an
// output is an operand or apart from it, so no element depends on another.
#include "kernels/elementwise.h"

#include "kernels/cpu/broadcast.h"
#include "tensor/philox.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

template <class T, class F>
IL_INLINE void map(Context& context, ConstView x, View y, const F& f) {
  const T* from = x.as<T>();
  T* to = y.as<T>();
  parallel_chunks(context, y.shape.numel(), kChunkElements, [&](std::int64_t begin, std::int64_t end) {
#pragma GCC ivdep
    for (std::int64_t i = begin; i < end; ++i) to[i] = f(from[i]);
  });
}

template <class T, class F>
IL_INLINE void map2(Context& context, ConstView a, ConstView b, View y, const F& f) {
  if (y.shape.numel() == 0) return;
  const BroadcastPlan<2> plan(y.shape, {&a.shape, &b.shape});
  const bool a_moves = plan.stride[0][0] != 0, b_moves = plan.stride[1][0] != 0;
  plan.for_each_line(context, [&](std::int64_t y_at, const std::int64_t(&at)[2], std::int64_t n) {
    const T* pa = a.as<T>() + at[0];
    const T* pb = b.as<T>() + at[1];
    T* to = y.as<T>() + y_at;
    if (a_moves && b_moves) {
#pragma GCC ivdep
      for (std::int64_t i = 0; i < n; ++i) to[i] = f(pa[i], pb[i]);
    } else if (a_moves) {
      const T fixed = *pb;
#pragma GCC ivdep
      for (std::int64_t i = 0; i < n; ++i) to[i] = f(pa[i], fixed);
    } else if (b_moves) {
      const T fixed = *pa;
#pragma GCC ivdep
      for (std::int64_t i = 0; i < n; ++i) to[i] = f(fixed, pb[i]);
    } else {
      const T value = f(*pa, *pb);
      for (std::int64_t i = 0; i < n; ++i) to[i] = value;
    }
  });
}

template <class T>
void unary(const Unary& k, Context& context) {
  switch (k.fn) {
    case UnaryFn::kNegate:
      return map<T>(context, k.x, k.y, [](T x) { return -x; });
    case UnaryFn::kExp:
      return map<T>(context, k.x, k.y, [](T x) { return exp_of(x); });
    case UnaryFn::kLog:
      return map<T>(context, k.x, k.y, [](T x) { return log_of(x); });
    case UnaryFn::kSqrt:
      return map<T>(context, k.x, k.y, [](T x) { return sqrt_of(x); });
    case UnaryFn::kRsqrt:
      return map<T>(context, k.x, k.y, [](T x) { return 1 / sqrt_of(x); });
    case UnaryFn::kReciprocal:
      return map<T>(context, k.x, k.y, [](T x) { return 1 / x; });
    case UnaryFn::kSquare:
      return map<T>(context, k.x, k.y, [](T x) { return x * x; });
    case UnaryFn::kRelu:
      return map<T>(context, k.x, k.y, [](T x) { return x < 0 ? T{0} : x; });
    case UnaryFn::kStep:
      return map<T>(context, k.x, k.y, [](T x) { return x > 0 ? T{1} : T{0}; });
    case UnaryFn::kTanh:
      return map<T>(context, k.x, k.y, [](T x) { return tanh_of(x); });
    case UnaryFn::kSigmoid:
      return map<T>(context, k.x, k.y, [](T x) { return 1 / (1 + exp_of(-x)); });
  }
  fail("unary: function {} is unknown", static_cast<int>(k.fn));
}

template <class T>
void binary(const Binary& k, Context& context) {
  switch (k.fn) {
    case BinaryFn::kAdd:
      return map2<T>(context, k.a, k.b, k.y, [](T a, T b) { return a + b; });
    case BinaryFn::kSubtract:
      return map2<T>(context, k.a, k.b, k.y, [](T a, T b) { return a - b; });
    case BinaryFn::kMultiply:
      return map2<T>(context, k.a, k.b, k.y, [](T a, T b) { return a * b; });
    case BinaryFn::kDivide:
      return map2<T>(context, k.a, k.b, k.y, [](T a, T b) { return a / b; });
  }
  fail("binary: function {} is unknown", static_cast<int>(k.fn));
}

void run_here(const Unary& k, Context& context) {
  with_float(k.y.dtype, "unary", [&](auto tag) { unary<decltype(tag)>(k, context); });
}

void run_here(const Binary& k, Context& context) {
  with_float(k.y.dtype, "binary", [&](auto tag) { binary<decltype(tag)>(k, context); });
}

void run_here(const Affine& k, Context& context) {
  with_float(k.y.dtype, "affine", [&](auto tag) {
    using T = decltype(tag);
    const T scale = static_cast<T>(k.scale), offset = static_cast<T>(k.offset);
    map<T>(context, k.x, k.y, [=](T x) { return scale * x + offset; });
  });
}

void run_here(const BroadcastTo& k, Context& context) {
  if (k.y.shape.numel() == 0) return;
  with_float(k.y.dtype, "broadcast_to", [&](auto tag) {
    using T = decltype(tag);
    const BroadcastPlan<1> plan(k.y.shape, {&k.x.shape});
    const bool moves = plan.stride[0][0] != 0;
    const T scale = static_cast<T>(k.scale);
    plan.for_each_line(context, [&](std::int64_t y_at, const std::int64_t(&at)[1], std::int64_t n) {
      const T* from = k.x.template as<T>() + at[0];
      T* to = k.y.template as<T>() + y_at;
      if (moves && scale == 1) {
        __builtin_memcpy(to, from, static_cast<std::size_t>(n) * sizeof(T));
      } else if (moves) {
        for (std::int64_t i = 0; i < n; ++i) to[i] = scale * from[i];
      } else {
        const T value = scale * *from;
        for (std::int64_t i = 0; i < n; ++i) to[i] = value;
      }
    });
  });
}

void run_here(const DropoutMask& k, Context& context) {
  with_float(k.mask.dtype, "dropout_mask", [&](auto tag) {
    using T = decltype(tag);
    const T keep = static_cast<T>(1 / (1 - k.rate));
    const std::int64_t n = k.mask.shape.numel();
    T* mask = k.mask.template as<T>();
    parallel_chunks(context, ceil_div(n, 4), kChunkElements / 8, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t block = begin; block < end; ++block) {
        const PhiloxBlock draw =
            random_block(k.seed, Stream::kDropout, k.step, k.task, static_cast<std::uint32_t>(block));
        const std::int64_t count = smaller(4, n - 4 * block);
        for (std::int64_t i = 0; i < count; ++i)
          mask[4 * block + i] = static_cast<double>(uniform01(draw.word[i])) < k.rate ? T{0} : keep;
      }
    });
  });
}

IL_REGISTER_KERNEL(Unary);
IL_REGISTER_KERNEL(Binary);
IL_REGISTER_KERNEL(Affine);
IL_REGISTER_KERNEL(BroadcastTo);
IL_REGISTER_KERNEL(DropoutMask);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
