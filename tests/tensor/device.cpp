// Tensors on a device, with a device made up of host memory: where they live, how they move, and what is refused.
#include "tensor/arena_stats.h"
#include "tensor/device.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

#include "tensor/context.h"
#include "tensor/tensor.h"
#include "tests/support/error_of.h"

namespace innerloop {
namespace {

/// 64 KiB of memory that only its own calls touch; fill and cast for float32 and float64.
class SmallDevice final : public Device {
 public:
  static constexpr std::size_t kTotal = 64 << 10;

  std::string name() const override { return "small device"; }
  std::vector<std::pair<std::string, std::string>> details() const override { return {}; }
  void set_option(std::string_view, std::string_view) override {}
  HostAccess host_access() const override { return HostAccess::kNo; }
  void* stream() const override { return nullptr; }
  void* allocate(std::size_t bytes) override {
    if (used_ + bytes > kTotal) return nullptr;
    void* memory = std::malloc(bytes + sizeof(std::size_t) * 32);
    std::memcpy(memory, &bytes, sizeof bytes);
    used_ += bytes;
    return static_cast<char*>(memory) + sizeof(std::size_t) * 32;
  }
  void release(void* memory) noexcept override {
    void* whole = static_cast<char*>(memory) - sizeof(std::size_t) * 32;
    std::size_t bytes = 0;
    std::memcpy(&bytes, whole, sizeof bytes);
    used_ -= bytes;
    std::free(whole);
  }
  Memory memory() const override { return {kTotal - used_, kTotal}; }
  void upload(void* to, const void* from, std::size_t bytes) override { std::memcpy(to, from, bytes); }
  void download(void* to, const void* from, std::size_t bytes) override { std::memcpy(to, from, bytes), ++downloads; }
  void copy(void* to, const void* from, std::size_t bytes) override { std::memcpy(to, from, bytes); }
  void fill(View to, double value) override {
    for (std::int64_t i = 0; i < to.shape.numel(); ++i) {
      if (to.dtype == DType::kF32)
        to.as<float>()[i] = static_cast<float>(value);
      else
        to.as<double>()[i] = value;
    }
  }
  void cast(ConstView from, View to) override {
    for (std::int64_t i = 0; i < to.shape.numel(); ++i) to.as<double>()[i] = static_cast<double>(from.as<float>()[i]);
  }
  void synchronize() override {}
  std::shared_ptr<Recording> record(FunctionRef<void()>) override { fail("small device: records nothing"); }
  bool is_recording() const override { return false; }
  void replay(const Recording&) override {}

  int downloads = 0;

 private:
  std::size_t used_ = 0;
};

using test::error_of;

TEST(DeviceTensor, LivesWhereItsContextSaysAndMovesWhenAsked) {
  const auto device = std::make_shared<SmallDevice>();
  const Tensor host = Tensor::from<float>({3}, std::vector<float>{1, 2, 3});
  EXPECT_EQ(host.device(), nullptr);
  Context context(device);
  ContextScope scope(context);
  EXPECT_EQ(context.target(), Target::kCuda);
  const Tensor t = host.to_context();
  EXPECT_EQ(t.device(), device.get());
  EXPECT_EQ(t.to_context().view().data, t.view().data) << "already there";
  EXPECT_EQ(t.item(1), 2);
  const Tensor back = t.to_host();
  EXPECT_EQ(back.device(), nullptr);
  EXPECT_EQ(back.data<float>()[2], 3);
  EXPECT_EQ(host.to_host().view().data, host.view().data);
  EXPECT_EQ(t.clone().to_host().data<float>()[0], 1);
  EXPECT_EQ(t.slice(1, 2).reshape({2, 1}).to_host().data<float>()[1], 3);
  EXPECT_EQ(t.to(DType::kF64).item(2), 3);
  EXPECT_EQ(Tensor::full({2}, DType::kF64, 0.5).item(1), 0.5);
  EXPECT_EQ(Tensor::zeros({2}, DType::kF32).item(1), 0);
  EXPECT_EQ(Tensor::empty_on_host({2}, DType::kF32).device(), nullptr);
  EXPECT_EQ(host.clone().device(), device.get()) << "a clone lives where the context's tensors do";
}

TEST(DeviceTensor, TheHostDoesNotReadItByAddress) {
  Context context(std::make_shared<SmallDevice>());
  ContextScope scope(context);
  Tensor t = Tensor::zeros({2, 3}, DType::kF32);
  for (const std::string& text : {error_of([&] { t.data<float>(); }), error_of([&] { t.mutable_data<float>(); })}) {
    EXPECT_NE(text.find("[2, 3]"), std::string::npos) << text;
    EXPECT_NE(text.find("small device"), std::string::npos) << text;
    EXPECT_NE(text.find("to_host()"), std::string::npos) << text;
  }
}

TEST(DeviceTensor, ACopyNeedsOneShapeDtypeAndPlace) {
  const Tensor host = Tensor::zeros({3}, DType::kF32);
  Context context(std::make_shared<SmallDevice>());
  ContextScope scope(context);
  Tensor to = Tensor::zeros({3}, DType::kF32);
  to.copy_from(Tensor::full({3}, DType::kF32, 4));
  EXPECT_EQ(to.item(2), 4);
  EXPECT_NE(error_of([&] { to.copy_from(host); }), "");
  EXPECT_NE(error_of([&] { to.copy_from(Tensor::zeros({2}, DType::kF32)); }), "");
  EXPECT_NE(error_of([&] { to.copy_from(Tensor::zeros({3}, DType::kF64)); }), "");
}

TEST(DeviceArena, OutOfMemoryNamesThePlanAndTheRemedy) {
  Context context(std::make_shared<SmallDevice>());
  ContextScope scope(context);
  const Tensor kept = Tensor::zeros({4096}, DType::kF32);
  std::string text;
  {
    const Arena::Phase phase(context.arena(), "inner step");
    const Tensor more = Tensor::zeros({4096}, DType::kF32);
    text = error_of([] { Tensor::zeros({1 << 20}, DType::kF32); });
  }
  for (const char* part : {"small device", "4.0 MiB asked for", "inner step 0.0", "free", "outer.tasks", "run.records"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " is missing in: " << text;
  // What is cached serves again, and goes back to the device where it is needed elsewhere.
  EXPECT_EQ(error_of([] { Tensor::zeros({8192}, DType::kF32); }), "");
}

TEST(DeviceArena, BlocksAreRoundedToTheDevicesAlignment) {
  Context context(std::make_shared<SmallDevice>());
  ContextScope scope(context);
  const Tensor t = Tensor::zeros({1}, DType::kF32);
  EXPECT_EQ(context.arena().stats().current, Arena::kDeviceAlignment);
}

TEST(DeviceContext, WithoutAnEngineSaysWhatToDo) {
  if (has_device_engine()) GTEST_SKIP() << "this program has one";
  const std::string text = error_of([] { Context context(1, Target::kCuda); });
  for (const char* part : {"device cuda", "CUDA", "--device cpu"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " is missing in: " << text;
}

}  // namespace
}  // namespace innerloop
