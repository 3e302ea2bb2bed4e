// Convolutions by engines that join: by products of patches, with a plain product in the library's place, and by
// engines that note what they are asked.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "kernels/cuda/conv_backend.h"
#include "kernels/cuda/conv_by_matmul.h"
#include "kernels/cuda/conv_choices.h"
#include "kernels/cuda/cuda_device.h"
#include "tensor/tensor.h"
#include "tests/executed/plain_matmul.h"
#include "tests/kernels/conv_harness.h"

namespace innerloop::kernels::cuda {
namespace {

class PlainGemm final : public ConvBackend {
 public:
  std::string version() const override { return "plain 1"; }
  std::string why_not(const ConvOp& op, Precision) override { return why_not_by_matmul(op); }
  void run(const ConvOp& op, Precision, Context& context) override {
    ++runs;
    conv_by_matmul(
        op, [&](const Matmul& product) { tests::plain_matmul(stream_of(context), product); }, context);
  }
  static inline int runs = 0;
};

class ConvEngines : public testing::Test {
 protected:
  ConvEngines() {
    std::filesystem::remove_all(cache_);
    setenv("XDG_CACHE_HOME", cache_.c_str(), 1);
    PlainGemm::runs = 0;
    load_conv_module();  // where there is one: what it registers must not come after what these tests do
    register_conv_backend(ConvEngine::kCudnn, nullptr);
    register_conv_backend(ConvEngine::kGemm,
                          [](Context&) -> std::unique_ptr<ConvBackend> { return std::make_unique<PlainGemm>(); });
  }
  ~ConvEngines() override {
    register_conv_backend(ConvEngine::kGemm, nullptr);
    set_conv_engine(ConvEngine::kOwn);
    unsetenv("XDG_CACHE_HOME");
    std::filesystem::remove_all(cache_);
  }

 private:
  /// Of this process alone, since tests run side by side.
  const std::string cache_ = testing::TempDir() + fmt::format("innerloop_conv_engines_{}", getpid());
};

std::vector<ConvCase> cases() {
  const ConvGeometry same{.pad_top = 1, .pad_left = 1}, halved{.stride_h = 2, .stride_w = 2};
  return {
      {2, 6, 5, 4, 8, 3, 3, 6, 5, same},
      {3, 7, 9, 3, 5, 3, 2, 3, 5, {.stride_h = 2, .stride_w = 2, .pad_left = 1}},
      {2, 9, 8, 2, 3, 2, 3, 8, 4, {.dilation_w = 2}},
      {2, 5, 5, 33, 2, 3, 3, 2, 2, {.stride_h = 3, .stride_w = 3, .pad_top = 1, .pad_left = 1}},
      {1, 4, 3, 12, 7, 1, 1, 4, 3, {}},  // the image is its patches
      {1, 4, 4, 8, 4, 1, 1, 2, 2, halved},
      {1, 3, 3, 1, 1, 5, 5, 1, 1, same},    // padding that no filter gets past
      {1, 14, 11, 16, 2, 3, 3, 12, 9, {}},  // more than a block of rows and columns
  };
}

TEST_F(ConvEngines, ProductsOfPatchesAreTheConvolutions) {
  set_conv_engine(ConvEngine::kGemm);
  unsigned seed = 1;
  int calls = 0;
  for (const ConvCase& z : cases()) {
    for (const ConvKind kind : kConvKinds) {
      const bool sums = kind != ConvKind::kForward;  // an output of one task is the sum over tasks
      for (const std::int64_t tasks : {std::int64_t{1}, std::int64_t{3}}) {
        check_conv({z, kind, 1, {tasks, 1}, {tasks, 1}, tasks}, ++seed);
        check_conv({z, kind, 2, {tasks, tasks}, {1, tasks}, tasks}, ++seed);
        check_conv({z, kind, 2, {1, tasks}, {tasks, tasks}, sums ? 1 : tasks}, ++seed);
        calls += 2 * 3;  // two dtypes
      }
    }
    if (HasFailure()) return;
  }
  EXPECT_EQ(PlainGemm::runs, calls) << "and by no other engine";
}

TEST_F(ConvEngines, AShapeThatAnEngineDoesNotServeIsAnErrorByName) {
  set_conv_engine(ConvEngine::kGemm);
  const ConvCase grouped{
      .n = 1, .h = 4, .w = 4, .c = 4, .k = 4, .r = 3, .s = 3, .p = 2, .q = 2, .geometry = {.groups = 2}};
  const ConvCall call{grouped, ConvKind::kForward, 1, {1, 1}, {1, 1}, 1};
  Context context(default_device());
  try {
    run_conv<float>(call, ConvOperands(call, 1), context);
    FAIL() << "groups were served";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("convolution engine gemm does not serve conv_forward f32"), std::string::npos);
    EXPECT_NE(std::string(e.what()).find("it has 2 groups and this serves one; use auto or own"), std::string::npos);
  }
  set_conv_engine(ConvEngine::kCudnn);
  try {
    run_conv<float>(call, ConvOperands(call, 1), context);
    FAIL() << "nobody registered for cudnn";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("this program has no library for it"), std::string::npos) << e.what();
  }
  set_conv_engine(ConvEngine::kAuto);
  check_conv(call, 1);  // own is left
  EXPECT_EQ(PlainGemm::runs, 0);
}

TEST_F(ConvEngines, AutoMeasuresOnceAndWritesTheFile) {
  set_conv_engine(ConvEngine::kAuto);
  const ConvCall call{cases()[0], ConvKind::kForward, 1, {2, 1}, {2, 1}, 2};
  check_conv(call, 5);
  const int measured = PlainGemm::runs;
  EXPECT_GE(measured, 2 * 6) << "a warm-up and five timed runs for each dtype";
  std::ifstream in(conv_choice_file());
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  EXPECT_NE(text.find("; plain 1\tconv_forward f32 "), std::string::npos) << text;
  EXPECT_NE(text.find("; plain 1\tconv_forward f64 "), std::string::npos) << text;
  EXPECT_NE(text.find("gemm "), std::string::npos) << text;
  check_conv(call, 6);
  EXPECT_LE(PlainGemm::runs, measured + 2) << "the choice, nothing timed";
}

TEST_F(ConvEngines, ARecordingNeedsARunBefore) {
  set_conv_engine(ConvEngine::kGemm);
  Context context(default_device());
  const ContextScope scope(context);
  const Tensor x = Tensor::full({2, 1, 5, 5, 4}, DType::kF32, 2), w = Tensor::full({2, 3, 3, 4, 8}, DType::kF32, 0.5);
  Tensor y = Tensor::zeros({2, 1, 3, 3, 8}, DType::kF32);
  const auto step = [&] { kernels::run(ConvForward{{}, {x.view(), {}}, {w.view(), {}}, y.mutable_view()}, context); };
  EXPECT_THROW(static_cast<void>(context.device()->record(step)), Error);
  step();
  const auto recording = context.device()->record(step);
  EXPECT_EQ(recording->nodes(), 2u) << "patches and product";
  context.device()->fill(y.mutable_view(), 0);
  context.device()->replay(*recording);
  EXPECT_EQ(y.item(7), 36.0);
}

TEST(ConvEngineSetting, NamesRoundTrip) {
  EXPECT_EQ(name_of(ConvEngine::kAuto), "auto");
  EXPECT_EQ(name_of(ConvEngine::kOwn), "own");
  EXPECT_EQ(name_of(ConvEngine::kCudnn), "cudnn");
  EXPECT_EQ(name_of(ConvEngine::kGemm), "gemm");
}

}  // namespace
}  // namespace innerloop::kernels::cuda
