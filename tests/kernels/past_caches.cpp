// Maps that are written past the caches (kernels/cpu/past_caches.h) are those that plain stores write, bit for bit: a view that
// begins between two lines is written by these.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>

#include "kernels/conv.h"
#include "kernels/norm.h"
#include "tensor/tensor.h"
#include "tests/kernels/targets.h"

namespace innerloop::kernels {
namespace {

constexpr std::int64_t kSide = 128, kChannels = 64;  // 4 MiB: the least that goes past the caches
const Shape kMap{1, 1, kSide, kSide, kChannels}, kLine{1, kChannels};

Tensor some(const Shape& shape, std::uint64_t seed) {
  Tensor t = Tensor::empty(shape, DType::kF32);
  std::uint32_t i = 0;
  for (float& v : t.mutable_data<float>()) {
    v = static_cast<float>((i * 2654435761u + static_cast<std::uint32_t>(seed) * 40503u) >> 8) / (1 << 24) - 0.5f;
    ++i;
  }
  return t;
}

/// `run` writes its map once to a line's begin and once behind it.
void expect_same(const std::function<void(const View&, Context&)>& run) {
  if (has_device_engine()) GTEST_SKIP() << "a CPU's stores";
  for (const Target target : harness::targets()) {
    SCOPED_TRACE(std::string(name_of(target)));
    Context context(1, target);
    const ContextScope scope(context);
    Tensor lines = Tensor::full(kMap, DType::kF32, NAN);
    Tensor storage = Tensor::full({kMap.numel() + 1}, DType::kF32, NAN);
    const View later{storage.mutable_data<float>().data() + 1, DType::kF32, kMap};
    run(lines.mutable_view(), context);
    run(later, context);
    const auto* const a = lines.data<float>().data();
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(a) % 64, 0u);
    EXPECT_EQ(std::memcmp(a, later.data, static_cast<std::size_t>(kMap.numel()) * sizeof(float)), 0);
  }
}

TEST(PastCaches, NormWithoutPool) {
  const Tensor y = some(kMap, 1), gamma = some(kLine, 2), beta = some(kLine, 3);
  expect_same([&](const View& p, Context& context) {
    Tensor mean = Tensor::empty(kLine, DType::kF32), rstd = Tensor::empty(kLine, DType::kF32);
    Tensor choice = Tensor::empty(kMap, DType::kU8);
    kernels::run(NormReluPoolForward{.pool = Pool::kNone,
                                     .y = y.view(),
                                     .gamma = gamma.view(),
                                     .beta = beta.view(),
                                     .mean = mean.mutable_view(),
                                     .rstd = rstd.mutable_view(),
                                     .p = p,
                                     .choice = choice.mutable_view()},
                 context);
  });
}

TEST(PastCaches, TangentOfTheNormWithoutPool) {
  const Tensor y = some(kMap, 1), ty = some(kMap, 4), mean = some(kLine, 5), rstd = Tensor::full(kLine, DType::kF32, 2);
  const Tensor choice = Tensor::full(kMap, DType::kU8, 0);
  expect_same([&](const View& tp, Context& context) {
    Tensor tmean = Tensor::empty(kLine, DType::kF32), trstd = Tensor::empty(kLine, DType::kF32);
    kernels::run(NormReluPoolJvp{.pool = Pool::kNone,
                                 .y = y.view(),
                                 .mean = mean.view(),
                                 .rstd = rstd.view(),
                                 .gamma = {},
                                 .choice = choice.view(),
                                 .ty = ty.view(),
                                 .tgamma = {},
                                 .tbeta = {},
                                 .tp = tp,
                                 .tmean = tmean.mutable_view(),
                                 .trstd = trstd.mutable_view()},
                 context);
  });
}

TEST(PastCaches, InputGradient) {
  const Tensor gy = some({1, 1, kSide / 2, kSide / 2, 32}, 6), w = some({1, 3, 3, kChannels, 32}, 7);
  expect_same([&](const View& gx, Context& context) {
    const ConvGeometry strided{.stride_h = 2, .stride_w = 2, .pad_top = 1, .pad_left = 1};
    kernels::run(ConvInputGrad{strided, {gy.view(), {}}, {w.view(), {}}, gx}, context);
  });
}

}  // namespace
}  // namespace innerloop::kernels
