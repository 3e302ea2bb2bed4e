// Sample kernels against references, in every order: shuffles, barriers, shared memory, atomics, tensor cores, async copies.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "kernels/cuda/host/diagnostics.h"
#include "kernels/cuda/host/monitor.h"
#include "kernels/cuda/host/options.h"
#include "tests/host_executor/device_array.h"
#include "tests/host_executor/sample_kernels.h"

namespace innerloop::tests {
namespace {

using host_executor::Fault;
using host_executor::KernelError;
using host_executor::ThreadOrder;

class SampleTest : public testing::TestWithParam<ThreadOrder> {
 protected:
  SampleTest() : options_(with_order(GetParam())) {}
  static host_executor::Options with_order(ThreadOrder order) {
    host_executor::Options o = host_executor::options();
    o.order = order;
    return o;
  }

 private:
  host_executor::ScopedOptions options_;
};

std::string name_of_order(const testing::TestParamInfo<ThreadOrder>& info) {
  constexpr const char* kNames[] = {"Forward", "Reverse", "Random", "Eager"};
  return kNames[static_cast<int>(info.param)];
}
INSTANTIATE_TEST_SUITE_P(Orders, SampleTest,
                         testing::Values(ThreadOrder::kForward, ThreadOrder::kReverse, ThreadOrder::kRandom,
                                         ThreadOrder::kEager),
                         name_of_order);

/// Fractions in (-1, 1) with all mantissa bits in use.
std::vector<float> fractions(std::size_t count, std::uint32_t seed) {
  std::vector<float> values(count);
  for (float& v : values) {
    seed = seed * 1664525u + 1013904223u;
    v = static_cast<float>(static_cast<std::int32_t>(seed)) * 0x1p-31f;
  }
  return values;
}

TEST_P(SampleTest, ScaleAdd) {
  for (const int n : {1, 3, 4, 1023, 5000}) {
    const auto x = sample_values(static_cast<std::size_t>(n));
    const DeviceArray<float> in(x), out(x.size());
    scale_add(out.data(), in.data(), 2.0f, -1.0f, n, nullptr);
    const auto y = out.get();
    for (std::size_t i = 0; i < x.size(); ++i) ASSERT_EQ(y[i], 2.0f * x[i] - 1.0f) << i << " of " << n;
  }
}

TEST_P(SampleTest, PartialSums) {
  const auto x = sample_values(10000);
  const DeviceArray<float> in(x), out(7);
  partial_sums(out.data(), in.data(), 10000, 7, nullptr);
  float expected = 0.0f, sum = 0.0f;
  for (const float v : x) expected += v;
  for (const float v : out.get()) sum += v;
  EXPECT_EQ(sum, expected);  // whole numbers: exact in any order
}

TEST_P(SampleTest, SoftmaxRows) {
  constexpr int kRows = 9, kColumns = 50;
  const auto x = fractions(kRows * kColumns, 1);
  const DeviceArray<float> in(x), out(x.size());
  softmax_rows(out.data(), in.data(), kRows, kColumns, nullptr);
  const auto y = out.get();
  for (int r = 0; r < kRows; ++r) {
    double sum = 0.0;
    for (int c = 0; c < kColumns; ++c) sum += std::exp(static_cast<double>(x[r * kColumns + c]));
    for (int c = 0; c < kColumns; ++c) {
      const double expected = std::exp(static_cast<double>(x[r * kColumns + c])) / sum;
      ASSERT_NEAR(y[r * kColumns + c], expected, 1e-6 * expected);
    }
  }
}

TEST_P(SampleTest, Histogram) {
  std::vector<unsigned> x(1000), expected(10, 0);
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = static_cast<unsigned>(i * i);
    ++expected[x[i] % 10];
  }
  const DeviceArray<unsigned> in(x), bins(10, 0u);
  histogram(bins.data(), in.data(), 1000, 10, nullptr);
  EXPECT_EQ(bins.get(), expected);
}

/// |c - A B| <= tolerance * |A| |B| for each element, in float64.
void expect_product(const std::vector<float>& c, const std::vector<float>& a, const std::vector<float>& b, int m, int n, int k,
                    double tolerance) {
  for (int i = 0; i < m; ++i) {
    for (int j = 0; j < n; ++j) {
      double sum = 0.0, magnitude = 0.0;
      for (int l = 0; l < k; ++l) {
        const double term = static_cast<double>(a[i * k + l]) * static_cast<double>(b[l * n + j]);
        sum += term;
        magnitude += std::abs(term);
      }
      ASSERT_NEAR(c[i * n + j], sum, tolerance * magnitude) << "element " << i << ", " << j;
    }
  }
}

TEST_P(SampleTest, MatmulTiled) {
  constexpr int kM = 37, kN = 21, kK = 50;
  const auto a = fractions(kM * kK, 2), b = fractions(kK * kN, 3);
  const DeviceArray<float> da(a), db(b), dc(kM * kN);
  matmul_tiled(dc.data(), da.data(), db.data(), kM, kN, kK, nullptr);
  expect_product(dc.get(), a, b, kM, kN, kK, kK * 0x1p-24);
}

float rounded_to_tf32(float x) {  // independent of the kernel's: by scaling
  int exponent;
  const float fraction = std::frexp(x, &exponent);
  return std::ldexp(std::round(std::ldexp(fraction, 11)), exponent - 11);
}

TEST_P(SampleTest, MatmulTf32) {
  constexpr int kM = 32, kN = 24, kK = 40;
  auto a = fractions(kM * kK, 4), b = fractions(kK * kN, 5);
  const DeviceArray<float> da(a), db(b), dc(kM * kN);
  matmul_tf32(dc.data(), da.data(), db.data(), kM, kN, kK, nullptr);
  expect_product(dc.get(), a, b, kM, kN, kK, 0x1p-10);
  for (float& v : a) v = rounded_to_tf32(v);
  for (float& v : b) v = rounded_to_tf32(v);
  expect_product(dc.get(), a, b, kM, kN, kK, kK * 0x1p-24);  // nothing but the operands' rounding and the sums'
}

TEST_P(SampleTest, MatmulBf16) {
  constexpr int kM = 16, kN = 16, kK = 48;
  auto a = fractions(kM * kK, 6), b = fractions(kK * kN, 7);
  std::vector<std::uint16_t> a16, b16;
  for (float& v : a) {
    a16.push_back(static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(v) >> 16));
    v = std::bit_cast<float>(std::uint32_t{a16.back()} << 16);
  }
  for (float& v : b) {
    b16.push_back(static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(v) >> 16));
    v = std::bit_cast<float>(std::uint32_t{b16.back()} << 16);
  }
  const DeviceArray<std::uint16_t> da(a16), db(b16);
  const DeviceArray<float> dc(kM * kN);
  matmul_bf16(dc.data(), da.data(), db.data(), kM, kN, kK, nullptr);
  expect_product(dc.get(), a, b, kM, kN, kK, kK * 0x1p-24);
}

TEST(Tf32, RoundsToNearestTiesAway) {
  const float ulp = 0x1p-10f;
  const std::vector<float> x = {0.0f, 1.0f, 1.0f + ulp, 1.0f + 0.5f * ulp, 1.0f + 0.499f * ulp, -1.0f - 0.5f * ulp,
                                1.0f + 1.5f * ulp, 3.14159265f, std::numeric_limits<float>::infinity(),
                                std::numeric_limits<float>::max()};
  const DeviceArray<float> in(x);
  const DeviceArray<unsigned> out(x.size());
  round_to_tf32(out.data(), in.data(), static_cast<int>(x.size()), nullptr);
  const auto bits = out.get();
  const std::vector<float> expected = {0.0f, 1.0f, 1.0f + ulp, 1.0f + ulp, 1.0f, -1.0f - ulp, 1.0f + 2.0f * ulp,
                                       rounded_to_tf32(3.14159265f), std::numeric_limits<float>::infinity(),
                                       std::numeric_limits<float>::infinity()};
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_EQ(std::bit_cast<float>(bits[i]), expected[i]) << x[i];
}

TEST_P(SampleTest, AsyncCopies) {
  const auto x = sample_values(256);
  const DeviceArray<float> in(x);
  for (const int valid : {16, 8, 0}) {
    const DeviceArray<float> out(256);
    copy_through_shared(out.data(), in.data(), valid, CopyMode::kWaited, nullptr);
    const auto y = out.get();
    for (std::size_t i = 0; i < 256; ++i) {
      ASSERT_EQ(y[i], static_cast<int>(i % 4 * 4) < valid ? x[i] : 0.0f) << i << ", valid " << valid;
    }
  }
}

TEST_P(SampleTest, AsyncCopiesShowAForgottenWait) {
  const DeviceArray<float> in(sample_values(256));
  for (const CopyMode mode : {CopyMode::kNotWaited, CopyMode::kOneGroupLeft}) {
    const DeviceArray<float> out(256);
    copy_through_shared(out.data(), in.data(), 16, mode, nullptr);
    if (host_executor::monitor != nullptr) {
      try {
        require(cudaDeviceSynchronize());
        ADD_FAILURE() << "the missing wait was not reported";
      } catch (const KernelError& error) {
        EXPECT_EQ(error.fault(), Fault::kUninitialised) << error.what();
      }
      continue;
    }
    const auto y = out.get();
    EXPECT_EQ(std::isnan(y[0]), mode == CopyMode::kNotWaited) << "the first group was waited for";
    EXPECT_TRUE(std::isnan(y[200])) << "the second group was not";
  }
}

TEST_P(SampleTest, WarpExchanges) {
  const DeviceArray<unsigned> out(8 * 32);
  warp_exchanges(out.data(), nullptr);
  const auto y = out.get();
  unsigned thirds = 0, sum = 0;
  for (unsigned t = 0; t < 32; ++t) {
    thirds |= t % 3 == 0 ? 1u << t : 0u;
    sum += 100 + t;
  }
  for (unsigned t = 0; t < 32; ++t) {
    EXPECT_EQ(y[0 * 32 + t], 100 + (t >= 3 ? t - 3 : t));
    EXPECT_EQ(y[1 * 32 + t], 100 + (t + 3 < 32 ? t + 3 : t));
    EXPECT_EQ(y[2 * 32 + t], 105u);
    EXPECT_EQ(y[3 * 32 + t], 105 + t / 8 * 8);
    EXPECT_EQ(y[4 * 32 + t], thirds);
    EXPECT_EQ(y[5 * 32 + t], 2u);  // some, not all
    EXPECT_EQ(y[6 * 32 + t], sum);
    EXPECT_EQ(y[7 * 32 + t], 131u);
  }
}

TEST_P(SampleTest, BarrierVotes) {
  const DeviceArray<int> out(3);
  barrier_votes(out.data(), nullptr);
  EXPECT_EQ(out.get(), (std::vector<int>{22, 1, 0}));
}

}  // namespace
}  // namespace innerloop::tests
