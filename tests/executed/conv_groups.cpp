// Tasks as groups of one convolution, with the definition in cuDNN's place.
#include "kernels/cuda/vendor/conv_groups.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "kernels/cuda/conv_backend.h"
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/swap_axes.h"
#include "tensor/tensor.h"
#include "tests/executed/plain_grouped_conv.h"
#include "tests/kernels/conv_harness.h"

namespace innerloop::kernels::cuda {
namespace {

class PlainGroups final : public ConvBackend {
 public:
  std::string version() const override { return "plain groups 1"; }
  std::string why_not(const ConvOp& op, Precision) override { return has_task_groups(op) ? "" : "it has no groups"; }
  void run(const ConvOp& op, Precision, Context& context) override {
    ++runs;
    const auto allocate = [&](std::size_t bytes) { return context.arena().allocate(bytes); };
    const auto convolve = [&](const cudnn::ConvProblem& problem, const void* image, const void* filter,
                              const void* output) {
      tests::plain_grouped_conv(stream_of(context), problem, const_cast<void*>(image), const_cast<void*>(filter),
                                const_cast<void*>(output));
    };
    conv_by_groups(op, stream_of(context), {allocate, convolve});
  }
  static inline int runs = 0;
};

class ConvGroups : public testing::Test {
 protected:
  ConvGroups() {
    PlainGroups::runs = 0;
    load_conv_module();  // where there is one: what it registers must not come after what these tests do
    register_conv_backend(ConvEngine::kCudnn,
                          [](Context&) -> std::unique_ptr<ConvBackend> { return std::make_unique<PlainGroups>(); });
    set_conv_engine(ConvEngine::kCudnn);
  }
  ~ConvGroups() override {
    register_conv_backend(ConvEngine::kCudnn, nullptr);
    set_conv_engine(ConvEngine::kOwn);
  }
};

TEST_F(ConvGroups, AreTheConvolutionsOfEachTask) {
  const ConvCase cases[] = {
      {2, 4, 3, 3, 2, 3, 3, 4, 3, {.pad_top = 1, .pad_left = 1}},
      {1, 5, 4, 4, 6, 2, 3, 2, 2, {.stride_h = 2, .stride_w = 2, .pad_left = 1, .groups = 2}},
      {2, 3, 3, 4, 4, 1, 1, 3, 3, {}},
  };
  unsigned seed = 40;
  int calls = 0;
  for (const ConvCase& z : cases) {
    for (const ConvKind kind : kConvKinds) {
      for (const std::int64_t tasks : {std::int64_t{1}, std::int64_t{3}}) {
        check_conv({z, kind, 1, {tasks, 1}, {tasks, 1}, tasks}, ++seed);
        check_conv({z, kind, 2, {tasks, tasks}, {tasks, tasks}, tasks}, ++seed);
        calls += 2 * 2;
      }
    }
  }
  EXPECT_EQ(PlainGroups::runs, calls);
}

TEST_F(ConvGroups, AreNotForOperandsThatTasksShare) {
  Context context(default_device());
  const ConvCase z{1, 4, 3, 2, 2, 3, 3, 2, 1, {}};
  for (const ConvCall& call :
       {ConvCall{z, ConvKind::kForward, 1, {3, 1}, {1, 1}, 3}, ConvCall{z, ConvKind::kForward, 2, {3, 3}, {3, 1}, 3},
        ConvCall{z, ConvKind::kWeightGrad, 1, {3, 1}, {3, 1}, 1}}) {
    EXPECT_THROW(run_conv<float>(call, ConvOperands(call, 1), context), Error) << call.text();
  }
}

TEST(SwapAxes, MovesEveryElement) {
  Context context(default_device());
  const ContextScope scope(context);
  for (const DType dtype : {DType::kF32, DType::kF64}) {
    for (const SwapExtents& e : {SwapExtents{1, 3, 5, 8}, SwapExtents{4, 9, 7, 1}, SwapExtents{2, 33, 40, 3},
                                 SwapExtents{1, 1, 17, 4}, SwapExtents{1, 0, 5, 4}, SwapExtents{2, 3, 4, 6}}) {
      const std::int64_t n = e.outer * e.first * e.second * e.inner;
      std::vector<double> values(static_cast<std::size_t>(n));
      for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i);
      const Tensor from = Tensor::from<double>({n}, values).to(dtype);
      Tensor to = Tensor::zeros({n}, dtype);
      swap_axes(stream_of(context), dtype, e, from.view().data, to.mutable_view().data);
      const Tensor got = to.to_host();
      for (std::int64_t i = 0; i < n; ++i) {
        const std::int64_t lane = i % e.inner, a = i / e.inner % e.first, b = i / e.inner / e.first % e.second,
                           outer = i / e.inner / e.first / e.second;
        ASSERT_EQ(got.item(i), static_cast<double>(((outer * e.first + a) * e.second + b) * e.inner + lane)) << i;
      }
    }
  }
}

}  // namespace
}  // namespace innerloop::kernels::cuda
