// The wrappers on a device: products and convolutions against the float64 oracle. Without one they must say so, in an
// error that names the call; this file also makes the linker see every call that is made.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <type_traits>
#include <vector>

#include "../kernels/conv_oracle.h"
#include "kernels/cuda/cublas/handle.h"
#include "kernels/cuda/cudnn/autotune.h"
#include "kernels/cuda/cudnn/conv_runner.h"
#include "kernels/cuda/device_buffer.h"
#include "tensor/philox.h"

namespace innerloop::kernels {
namespace {

bool has_device() {
  int devices = 0;
  const bool found = cudaGetDeviceCount(&devices) == cudaSuccess && devices > 0;
  static_cast<void>(cudaGetLastError());
  return found;
}

class OnDevice : public testing::Test {
 protected:
  void SetUp() override {
    if (!has_device()) GTEST_SKIP() << "no CUDA device: the vendor wrappers are linked but not run";
  }
};

std::vector<double> numbers(std::int64_t n, std::uint32_t step) {
  PhiloxSequence random(3, Stream::kCheck, step);
  std::vector<double> v(static_cast<std::size_t>(n));
  for (double& x : v) x = static_cast<double>(random.uniform()) - 0.5;
  return v;
}

cuda::DeviceBuffer upload(const std::vector<double>& v) {
  cuda::DeviceBuffer buffer(v.size() * sizeof(double));
  IL_CUDA_CHECK(cudaMemcpy(buffer.data(), v.data(), buffer.bytes(), cudaMemcpyHostToDevice));
  return buffer;
}

std::vector<double> download(const cuda::DeviceBuffer& buffer) {
  std::vector<double> v(buffer.bytes() / sizeof(double));
  IL_CUDA_CHECK(cudaDeviceSynchronize());
  IL_CUDA_CHECK(cudaMemcpy(v.data(), buffer.data(), buffer.bytes(), cudaMemcpyDeviceToHost));
  return v;
}

TEST(VendorHandles, WithoutADeviceTheErrorNamesTheCall) {
  if (has_device()) GTEST_SKIP() << "there is a device";
  try {
    cublas::Handle handle(nullptr, {});
    FAIL() << "a handle was made without a device";
  } catch (const Error& e) {
    EXPECT_EQ(std::string(e.what()).find("cuda: cudaMalloc"), 0u) << e.what();
  }
}

TEST_F(OnDevice, MatmulIsTheProduct) {
  const std::int64_t tasks = 3, m = 4, n = 5, k = 6;
  const auto a = numbers(tasks * m * k, 0), b = numbers(k * n, 1);
  const auto device_a = upload(a), device_b = upload(b);
  const cuda::DeviceBuffer out(static_cast<std::size_t>(tasks * m * n) * sizeof(double));
  cublas::Handle handle(nullptr, {});
  Matmul z;
  z.a[0] = {device_a.data(), DType::kF64, {tasks, m, k}};
  z.b[0] = {device_b.data(), DType::kF64, {1, k, n}};
  z.out = {out.data(), DType::kF64, {tasks, m, n}};
  handle.run(z);
  const auto got = download(out);
  for (std::int64_t i = 0; i < tasks * m; ++i)
    for (std::int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (std::int64_t p = 0; p < k; ++p)
        sum += a[static_cast<std::size_t>(i * k + p)] * b[static_cast<std::size_t>(p * n + j)];
      EXPECT_NEAR(got[static_cast<std::size_t>(i * n + j)], sum, 1e-14);
    }
}

/// Runs the dual call of `kind` in float64 and compares it with the oracle.
void expect_convolution(const ConvCase& z, ConvKind kind) {
  const ConvCall call{z, kind, 2, {2, 2}, {2, 1}, 2};
  const auto shape = [&](char what, std::int64_t t) {
    return what == 'x'   ? Shape{t, z.n, z.h, z.w, z.c}
           : what == 'w' ? Shape{t, z.r, z.s, z.c / z.geometry.groups, z.k}
                         : Shape{t, z.n, z.p, z.q, z.k};
  };
  std::vector<double> a[2], b[2];
  cuda::DeviceBuffer device_a[2], device_b[2];
  for (std::uint32_t i = 0; i < 2; ++i) {
    a[i] = numbers(call.tasks_a[i] * call.a_size(), 2 + i);
    b[i] = numbers(call.tasks_b[i] * call.b_size(), 4 + i);
    device_a[i] = upload(a[i]);
    device_b[i] = upload(b[i]);
  }
  const cuda::DeviceBuffer out(static_cast<std::size_t>(call.tasks_out * call.out_size()) * sizeof(double));
  cublas::Handle handle(nullptr, {});
  cudnn::ConvRunner runner(handle, {});
  const auto run = [&](auto kernel, auto& first, auto& second, char la, char lb, View& to, char lo) {
    kernel.geometry = z.geometry;
    for (int i = 0; i < 2; ++i) {
      first(kernel)[i] = {device_a[i].data(), DType::kF64, shape(la, call.tasks_a[i])};
      second(kernel)[i] = {device_b[i].data(), DType::kF64, shape(lb, call.tasks_b[i])};
    }
    to = {out.data(), DType::kF64, shape(lo, call.tasks_out)};
    using K = decltype(kernel);
    if constexpr (std::is_same_v<K, ConvForward>) kernel.y = to;
    if constexpr (std::is_same_v<K, ConvInputGrad>) kernel.gx = to;
    if constexpr (std::is_same_v<K, ConvWeightGrad>) kernel.gw = to;
    runner.prepare(kernel);
    runner.run(kernel, [](std::size_t bytes) {
      const auto buffer = std::make_shared<cuda::DeviceBuffer>(bytes);
      return std::shared_ptr<void>(buffer, buffer->data());
    });
  };
  auto x = [](auto& k) -> auto& { return k.x; };
  auto w = [](auto& k) -> auto& { return k.w; };
  auto gy = [](auto& k) -> auto& { return k.gy; };
  View to;
  switch (kind) {
    case ConvKind::kForward:
      run(ConvForward{}, x, w, 'x', 'w', to, 'y');
      break;
    case ConvKind::kInputGrad:
      run(ConvInputGrad{}, gy, w, 'y', 'w', to, 'x');
      break;
    case ConvKind::kWeightGrad:
      run(ConvWeightGrad{}, x, gy, 'x', 'y', to, 'w');
      break;
  }
  const auto got = download(out);
  const ConvResult want = conv_oracle(call, a, b);
  for (std::size_t i = 0; i < got.size(); ++i) {
    // Each product and each sum may round once; the sums are shorter than 1000.
    EXPECT_LE(std::abs(got[i] - want.value[i]), 1000 * 0x1p-52 * want.magnitude[i]) << call.text() << " at " << i;
  }
}

TEST_F(OnDevice, ConvolutionsAreTheOracles) {
  const ConvCase symmetric{.n = 2,
                           .h = 7,
                           .w = 6,
                           .c = 3,
                           .k = 4,
                           .r = 3,
                           .s = 3,
                           .p = 7,
                           .q = 6,
                           .geometry = {.pad_top = 1, .pad_left = 1}};
  const ConvCase same{.n = 2,
                      .h = 8,
                      .w = 6,
                      .c = 2,
                      .k = 4,
                      .r = 3,
                      .s = 3,
                      .p = 4,
                      .q = 3,
                      .geometry = {.stride_h = 2, .stride_w = 2}};
  for (const ConvKind kind : kConvKinds) {
    expect_convolution(symmetric, kind);
    expect_convolution(same, kind);
  }
}

TEST_F(OnDevice, AutotunePutsTheFastestIntoTheCache) {
  cudnnHandle_t handle = nullptr;
  IL_CUDNN_CHECK(cudnnCreate(&handle));
  const auto z = cudnn::conv_problem(cudnn::ConvDirection::kForward, DType::kF32, {.pad_top = 1, .pad_left = 1}, 5, 14,
                                     14, 64, 64, 3, 3, 14, 14);
  cudnn::PlanCache cache;
  const auto device = cudnn::Device::current();
  const auto timed = cudnn::autotune(z, {}, device, handle, cache, {});
  ASSERT_FALSE(timed.empty());
  EXPECT_EQ(cache.get(z, {}, device), timed.front().plan);
  for (std::size_t i = 1; i < timed.size(); ++i) EXPECT_LE(timed[i - 1].median_ms, timed[i].median_ms);
  IL_CUDNN_CHECK(cudnnDestroy(handle));
}

}  // namespace
}  // namespace innerloop::kernels
