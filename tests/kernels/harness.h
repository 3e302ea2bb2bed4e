// What the tests of the pointwise, reduction, matmul and norm kernels share.
//
//   Array           values in memory of their own, between guard bytes; outputs start as NaN, so a gap is seen
//   run_everywhere  runs a kernel on every target (targets.h), with 1, 2 and 3 threads and from inside a parallel loop;
//                   the guards must hold and the bits must not depend on the threads
//   Num             a value that carries the magnitude of what was added up to make it: an oracle written in Num
//                   gives its own error bound, a multiple of epsilon times that magnitude. Wider than float64, so
//                   that an oracle's plain sums are not the less exact side
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "tensor/context.h"
#include "tests/kernels/targets.h"
#include "tensor/dtype.h"
#include "tensor/error.h"
#include "tensor/view.h"

namespace innerloop::kernels::harness {

struct Num {
  long double v = 0;
  double m = 0;
  Num() = default;
  Num(double value) : v(value), m(std::fabs(value)) {}  // NOLINT: numbers are exact until they are combined
  Num(long double value, double magnitude) : v(value), m(magnitude) {}
  friend Num operator+(Num a, Num b) { return {a.v + b.v, a.m + b.m}; }
  friend Num operator-(Num a, Num b) { return {a.v - b.v, a.m + b.m}; }
  friend Num operator*(Num a, Num b) { return {a.v * b.v, a.m * b.m}; }
  Num& operator+=(Num b) { return *this = *this + b; }
};

inline double epsilon_of(DType t) { return t == DType::kF64 ? 0x1p-52 : 0x1p-23; }

class Array {
 public:
  Array() = default;
  /// An output: every byte is 0xFF, a NaN in floating types.
  Array(const Shape& shape, DType dtype) : shape_(shape), dtype_(dtype) {
    initial_.assign(bytes() + 2 * kGuard, 0xFF);
    std::memset(initial_.data(), kPattern, kGuard);
    std::memset(initial_.data() + kGuard + bytes(), kPattern, kGuard);
    memory_ = initial_;
  }
  /// `values`, rounded to the dtype.
  Array(const Shape& shape, DType dtype, const std::vector<double>& values) : Array(shape, dtype) {
    EXPECT_EQ(static_cast<std::int64_t>(values.size()), shape.numel());
    for (std::size_t i = 0; i < values.size(); ++i) set(i, values[i]);
    initial_ = memory_;
  }

  std::size_t size() const { return static_cast<std::size_t>(shape_.numel()); }
  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  explicit operator bool() const { return !memory_.empty(); }
  ConstView view() const { return memory_.empty() ? ConstView{} : ConstView{memory_.data() + kGuard, dtype_, shape_}; }
  View mutable_view() { return memory_.empty() ? View{} : View{memory_.data() + kGuard, dtype_, shape_}; }
  void reset() { memory_ = initial_; }
  const Bytes& memory() const { return memory_; }

  double operator[](std::size_t i) const {
    switch (dtype_) {
      case DType::kF32:
        return get<float>(i);
      case DType::kF64:
        return get<double>(i);
      case DType::kI32:
        return get<std::int32_t>(i);
      case DType::kI64:
        return static_cast<double>(get<std::int64_t>(i));
      case DType::kU8:
        return get<std::uint8_t>(i);
    }
    return 0;
  }
  std::vector<double> values() const {
    std::vector<double> v(size());
    for (std::size_t i = 0; i < v.size(); ++i) v[i] = (*this)[i];
    return v;
  }
  bool guards_hold() const {
    for (std::size_t i = 0; i < kGuard; ++i)
      if (memory_[i] != kPattern || memory_[kGuard + bytes() + i] != kPattern) return false;
    return true;
  }

 private:
  static constexpr std::size_t kGuard = 64;
  static constexpr unsigned char kPattern = 0xA5;

  std::size_t bytes() const { return size() * size_of(dtype_); }
  template <class T>
  T get(std::size_t i) const {
    T x;
    std::memcpy(&x, memory_.data() + kGuard + i * sizeof(T), sizeof(T));
    return x;
  }
  template <class T>
  void put(std::size_t i, T x) {
    std::memcpy(memory_.data() + kGuard + i * sizeof(T), &x, sizeof(T));
  }
  void set(std::size_t i, double x) {
    switch (dtype_) {
      case DType::kF32:
        return put(i, static_cast<float>(x));
      case DType::kF64:
        return put(i, x);
      case DType::kI32:
        return put(i, static_cast<std::int32_t>(x));
      case DType::kI64:
        return put(i, static_cast<std::int64_t>(x));
      case DType::kU8:
        return put(i, static_cast<std::uint8_t>(x));
    }
  }

  Shape shape_;
  DType dtype_ = DType::kF32;
  Bytes initial_, memory_;
};

/// Normal numbers with the given mean and deviation.
inline Array random_array(const Shape& shape, DType dtype, unsigned seed, double mean = 0, double deviation = 1) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> normal(mean, deviation);
  std::vector<double> values(static_cast<std::size_t>(shape.numel()));
  for (double& v : values) v = normal(generator);
  return {shape, dtype, values};
}

/// Runs on every target, calls `check` once for each, and compares the bits of the other ways to run with the first.
inline void run_everywhere(const std::vector<Array*>& outputs, const std::function<void(Context&)>& run,
                           const std::function<void()>& check) {
  for (const Target target : targets()) {
    SCOPED_TRACE(std::string(name_of(target)));
    std::vector<Bytes> bits;
    const auto once = [&](const std::function<void()>& body, const char* way) {
      for (Array* a : outputs) a->reset();
      body();
      wait_for_device();
      for (std::size_t i = 0; i < outputs.size(); ++i) {
        EXPECT_TRUE(outputs[i]->guards_hold()) << "output " << i << ", " << way;
        if (bits.size() < outputs.size()) {
          bits.push_back(outputs[i]->memory());
        } else {
          EXPECT_EQ(std::memcmp(bits[i].data(), outputs[i]->memory().data(), bits[i].size()), 0)
              << "output " << i << " has other bits with " << way;
        }
      }
    };
    Context one(1, target), two(2, target), three(3, target);
    once([&] { run(one); }, "one thread");
    check();
    if (!is_executed()) {  // whose kernels know no threads of the host; run once more, they still have to give the same
      once([&] { run(two); }, "two threads");
      once([&] { run(three); }, "three threads");
    }
    once(
        [&] {
          two.threads().parallel_for(2, [&](std::int64_t i) {
            if (i == 0) run(two);
          });
        },
        "a surrounding loop");
    if (::testing::Test::HasFailure()) return;
  }
}

/// |actual - expected| <= factor * epsilon * magnitude for each element; NaNs and infinities must agree.
inline void expect_near(const Array& actual, const std::vector<Num>& expected, double factor, const char* what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  const double epsilon = epsilon_of(actual.dtype());
  const double tiny = actual.dtype() == DType::kF64 ? 1e-300 : 1e-37;  // below it, numbers are denormal
  int shown = 0;
  for (std::size_t i = 0; i < expected.size() && shown < 3; ++i) {
    const long double a = actual[i], e = expected[i].v;
    if (std::isnan(e) ? std::isnan(a) : a == e || std::abs(a - e) <= factor * epsilon * expected[i].m + tiny) continue;
    ++shown;
    ADD_FAILURE() << what << "[" << i << "] is " << a << ", not " << e << ": off by "
                  << std::abs(a - e) / (epsilon * expected[i].m) << " epsilon * magnitude, allowed " << factor;
  }
}

}  // namespace innerloop::kernels::harness
