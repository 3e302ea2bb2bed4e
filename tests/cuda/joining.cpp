// cuDNN and cuBLAS as engines of the convolutions: that they are linked into the CUDA engine and, on a device, that
// they compute what the float64 oracle says, by name, by measurement and in recordings.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "kernels/cuda/conv_backend.h"
#include "tensor/tensor.h"
#include "tests/kernels/conv_harness.h"

namespace innerloop::kernels::cuda {
namespace {

std::string missing_device() {
  try {
    static_cast<void>(default_device());
    return "";
  } catch (const Error& e) {
    return e.what();
  }
}

TEST(Joining, TheModuleBringsBothLibraries) {
  EXPECT_EQ(conv_backend_factory(ConvEngine::kCudnn), nullptr) << "not before an engine is asked for";
  EXPECT_EQ(load_conv_module(), "");
  EXPECT_NE(conv_backend_factory(ConvEngine::kCudnn), nullptr);
  EXPECT_NE(conv_backend_factory(ConvEngine::kGemm), nullptr);
  EXPECT_EQ(conv_backend_factory(ConvEngine::kOwn), nullptr) << "needs nobody to join";
}

class JoinedOnDevice : public testing::TestWithParam<ConvEngine> {
 protected:
  void SetUp() override {
    setenv("IL_CUDA_MEMORY", "pinned", 0);  // operands that the host writes
    const std::string cache = testing::TempDir() + fmt::format("innerloop_joining_{}", getpid());
    std::filesystem::remove_all(cache);
    setenv("XDG_CACHE_HOME", cache.c_str(), 1);
    if (const std::string why = missing_device(); !why.empty()) GTEST_SKIP() << why;
    set_conv_engine(GetParam());
  }
  void TearDown() override {
    set_conv_engine(ConvEngine::kOwn);
    std::filesystem::remove_all(std::getenv("XDG_CACHE_HOME"));
  }
};
INSTANTIATE_TEST_SUITE_P(Engines, JoinedOnDevice,
                         testing::Values(ConvEngine::kCudnn, ConvEngine::kGemm, ConvEngine::kAuto),
                         [](const auto& engine) { return std::string(name_of(engine.param)); });

TEST_P(JoinedOnDevice, ConvolutionsAreTheOracles) {
  const ConvCase cases[] = {
      {2, 7, 6, 4, 8, 3, 3, 7, 6, {.pad_top = 1, .pad_left = 1}},
      {2, 8, 6, 2, 4, 3, 3, 4, 3, {.stride_h = 2, .stride_w = 2}},  // TensorFlow's SAME: padding below alone
      {3, 5, 5, 16, 32, 1, 1, 5, 5, {}},
  };
  unsigned seed = 1;
  for (const ConvCase& z : cases) {
    for (const ConvKind kind : kConvKinds) {
      check_conv({z, kind, 1, {3, 1}, {3, 1}, 3}, ++seed);
      check_conv({z, kind, 2, {3, 3}, {1, 3}, 3}, ++seed);
      if (kind != ConvKind::kForward) check_conv({z, kind, 2, {3, 3}, {3, 3}, 1}, ++seed);
    }
  }
}

TEST_P(JoinedOnDevice, TheSameBitsInEveryReplay) {
  Context context(default_device());
  const ContextScope scope(context);
  std::vector<float> values(4 * 5 * 14 * 14 * 16);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i * 37 % 101) / 101.0f - 0.5f;
  const Tensor x = Tensor::from<float>({4, 5, 14, 14, 16}, values);
  const Tensor w = Tensor::from<float>({4, 3, 3, 16, 16}, std::vector<float>(values.begin(), values.begin() + 9216));
  Tensor y = Tensor::zeros({4, 5, 14, 14, 16}, DType::kF32);
  const auto step = [&] {
    kernels::run(ConvForward{{.pad_top = 1, .pad_left = 1}, {x.view(), {}}, {w.view(), {}}, y.mutable_view()}, context);
  };
  step();
  const Tensor first = y.to_host();
  const auto recording = context.device()->record(step);
  for (int i = 0; i < 3; ++i) {
    context.device()->fill(y.mutable_view(), 0);
    context.device()->replay(*recording);
    const Tensor again = y.to_host();
    EXPECT_EQ(std::memcmp(again.view().data, first.view().data, first.bytes()), 0) << i;
  }
}

}  // namespace
}  // namespace innerloop::kernels::cuda
