// Work that is recorded once and replayed: what a replay reads and writes, and what a recording refuses.
#include <gtest/gtest.h>

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/launch_overlap.h"
#include "kernels/update.h"
#include "tensor/arena_stats.h"
#include "tensor/context.h"
#include "tensor/tensor.h"

namespace innerloop {
namespace {

constexpr std::int64_t kLength = 300;  // more than a block, and no multiple of a warp

/// A context of its own for each test, since recorded work keeps using its arena's memory.
class RecordingTest : public testing::Test {
 protected:
  RecordingTest() : context_(default_device()), scope_(context_), device_(*context_.device()) {}

  static Tensor values(float first) {
    std::vector<float> v(kLength);
    for (std::size_t i = 0; i < v.size(); ++i) v[i] = first + static_cast<float>(i);
    return Tensor::from<float>({kLength}, v);
  }
  void overwrite(Tensor& t, float first) {
    const Tensor host = values(first).to_host();
    device_.upload(t.mutable_view().data, host.view().data, t.bytes());
  }
  void step(const Tensor& theta, const Tensor& grad, Tensor& out) {
    kernels::run(kernels::Sgd{0.5, theta.view(), grad.view(), out.mutable_view()}, context_);
  }
  std::string error_of_recording(FunctionRef<void()> work) {
    try {
      static_cast<void>(device_.record(work));
    } catch (const Error& e) {
      EXPECT_FALSE(device_.is_recording());
      return e.what();
    }
    return "";
  }

  Context context_;
  ContextScope scope_;
  Device& device_;
};

TEST_F(RecordingTest, RunsWhenReplayedOnWhatTheInputsHoldThen) {
  Tensor theta = values(1), grad = values(0), out = Tensor::zeros({kLength}, DType::kF32);
  Tensor once = grad.clone();
  step(theta, grad, once);  // older drivers load no kernel while they record
  const auto recording = device_.record([&] {
    EXPECT_TRUE(device_.is_recording());
    step(theta, grad, out);
    step(out, grad, out);
  });
  EXPECT_FALSE(device_.is_recording());
  EXPECT_EQ(recording->nodes(), 2u);
  EXPECT_EQ(out.item(3), 0) << "recorded, not run";
  for (const float first : {1.0f, -7.0f}) {
    overwrite(theta, first);
    overwrite(grad, 2 * first);
    device_.replay(*recording);
    const Tensor host = out.to_host();
    for (std::int64_t i = 0; i < kLength; ++i) {
      // theta - 0.5 grad twice; whole numbers, so exact
      EXPECT_EQ(host.item(i), (first + static_cast<float>(i)) - (2 * first + static_cast<float>(i))) << i;
    }
  }
}

TEST_F(RecordingTest, KeepsTheOrderOfOtherWorkAndOfItself) {
  Tensor theta = values(0), grad = Tensor::full({kLength}, DType::kF32, 2);
  const auto recording = device_.record([&] { step(theta, grad, theta); });  // theta - 1
  device_.replay(*recording);
  device_.fill(theta.mutable_view(), 10);
  for (int i = 0; i < 5; ++i) device_.replay(*recording);
  const Tensor copy = theta.clone();
  device_.replay(*recording);
  EXPECT_EQ(copy.item(kLength - 1), 5);
  EXPECT_EQ(theta.item(0), 4);
}

TEST_F(RecordingTest, TemporariesComeFromWhatARunBeforeLeftInTheArena) {
  const Tensor theta = values(1), grad = values(4);
  Tensor out = Tensor::empty({kLength}, DType::kF64);
  const auto work = [&] {
    Tensor next = Tensor::empty({kLength}, DType::kF32);
    step(theta, grad, next);
    device_.copy(out.mutable_view().data, next.clone().to(DType::kF64).view().data, out.bytes());
  };
  EXPECT_NE(error_of_recording(work).find("run the work once before it is recorded"), std::string::npos);
  work();
  const auto before = context_.arena().stats();
  const auto recording = device_.record(work);
  const auto after = context_.arena().stats();
  EXPECT_EQ(after.system_allocations, before.system_allocations);
  EXPECT_GT(after.allocations, before.allocations);
  EXPECT_EQ(recording->nodes(), 4u) << "a step, two copies and a cast";
  device_.fill(out.mutable_view(), 0);
  device_.replay(*recording);
  EXPECT_EQ(out.item(10), 11 - 0.5 * 14);
}

TEST_F(RecordingTest, RefusesWhatCannotBeRecorded) {
  Tensor x = values(1);
  EXPECT_NE(error_of_recording([&] { static_cast<void>(x.to_host()); }).find("a download while work is recorded"),
            std::string::npos);
  const float three = 3;
  EXPECT_NE(error_of_recording([&] { device_.upload(x.mutable_view().data, &three, sizeof three); }).find("an upload"),
            std::string::npos);
  EXPECT_NE(error_of_recording([&] { device_.synchronize(); }).find("a synchronisation while"), std::string::npos);
  EXPECT_NE(error_of_recording([&] { static_cast<void>(device_.allocate(256)); }).find("256 bytes were asked"),
            std::string::npos);
  EXPECT_NE(
      error_of_recording([&] { static_cast<void>(device_.record([] {})); }).find("a recording within a recording"),
      std::string::npos);
  const auto empty = device_.record([] {});
  EXPECT_EQ(empty->nodes(), 0u);
  EXPECT_NE(error_of_recording([&] { device_.replay(*empty); }).find("a replay while"), std::string::npos);
  EXPECT_EQ(x.item(0), 1) << "none of it has run";
}

TEST_F(RecordingTest, LeavesTheDeviceUsableWhenTheWorkThrows) {
  Tensor theta = values(1), grad = values(0), out = Tensor::zeros({kLength}, DType::kF32);
  EXPECT_THROW(static_cast<void>(device_.record([&] {
                 step(theta, grad, out);
                 throw std::runtime_error("the work's own");
               })),
               std::runtime_error);
  EXPECT_FALSE(device_.is_recording());
  EXPECT_EQ(out.item(5), 0) << "what was recorded until then is dropped";
  step(theta, grad, out);
  EXPECT_EQ(out.item(5), 6 - 0.5 * 5);
  const auto recording = device_.record([&] { step(out, grad, out); });
  device_.replay(*recording);
  EXPECT_EQ(out.item(5), 6 - 5);
}

TEST_F(RecordingTest, MemoryReleasedMeanwhileIsFreedBehindIt) {
  Tensor x = Tensor::zeros({kLength}, DType::kF32);
  static_cast<void>(Tensor::zeros({1 << 20}, DType::kF32));  // left in the arena's cache
  device_.synchronize();
  const std::size_t before = device_.memory().free;
  const auto recording = device_.record([&] {
    context_.arena().trim();
    device_.fill(x.mutable_view(), 3);
  });
  const char* const kind = std::getenv("IL_CUDA_MEMORY");  // the host's memory is not counted among the device's
  if (kind == nullptr || std::string_view(kind) != "pinned") {
    EXPECT_GE(device_.memory().free, before + (4u << 20));
  }
  device_.replay(*recording);
  EXPECT_EQ(x.item(1), 3);
}

TEST_F(RecordingTest, RefusesAnotherDevicesRecording) {
  struct Foreign final : Recording {
    std::size_t nodes() const override { return 1; }
  };
  EXPECT_THROW(device_.replay(Foreign{}), Error);
}

TEST_F(RecordingTest, MayBeDroppedBeforeItsReplayHasRun) {
  Tensor x = Tensor::zeros({kLength}, DType::kF32);
  {
    const auto recording = device_.record([&] { device_.fill(x.mutable_view(), 8); });
    device_.replay(*recording);
  }
  EXPECT_EQ(x.item(kLength - 1), 8);
}

/// As a device is tried when it is opened. What cannot be recorded is a no, and nothing of it stays behind.
TEST_F(RecordingTest, OverlappingLaunchesAreTriedWithoutATrace) {
  namespace cuda = kernels::cuda;
  const bool before = cuda::launches_overlap;
  const bool works = cuda::overlap_works(cuda::stream_of(context_));
  EXPECT_TRUE(works || !before) << "the device was opened with them";
#if defined(IL_HOST_EXECUTOR)
  EXPECT_TRUE(works);
#endif
  EXPECT_NE(error_of_recording([&] { EXPECT_FALSE(cuda::overlap_works(cuda::stream_of(context_))); }), "");
  EXPECT_EQ(cuda::launches_overlap, before);
  Tensor theta = values(1), grad = values(0), out = Tensor::zeros({kLength}, DType::kF32);
  step(theta, grad, out);
  EXPECT_EQ(out.item(5), 6 - 0.5 * 5);
}

}  // namespace
}  // namespace innerloop
