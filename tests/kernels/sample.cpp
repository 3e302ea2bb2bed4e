#include "kernels/sample.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <numbers>
#include <optional>
#include <string>
#include <vector>

#include "kernels/sample_math.h"
#include "tensor/context.h"
#include "tensor/tensor.h"
#include "tests/kernels/sample_common.h"
#include "tests/kernels/targets.h"

namespace innerloop::kernels {
namespace {

Augmentation salt_pepper_of(float probability, float salt) {
  return {.kind = AugmentKind::kSaltPepper, .probability = probability, .salt = salt, .std = 0, .pixels = 0};
}
Augmentation gaussian_of(float std) {
  return {.kind = AugmentKind::kGaussian, .probability = 0, .salt = 0, .std = std, .pixels = 0};
}
Augmentation shift_by(std::int32_t pixels) {
  return {.kind = AugmentKind::kShift, .probability = 0, .salt = 0, .std = 0, .pixels = pixels};
}

/// Images whose bytes are all different from place to place, on the host.
Tensor test_images(const Shape& shape) {
  Tensor images = Tensor::empty_on_host(shape, DType::kU8);
  auto data = images.mutable_data<std::uint8_t>();
  for (std::size_t i = 0; i < data.size(); ++i)
    data[i] = static_cast<std::uint8_t>(random_block(1, Stream::kCheck, 0, 0, static_cast<std::uint32_t>(i)).word[0]);
  return images;
}

Tensor constant_images(const Shape& shape, std::uint8_t value) {
  Tensor images = Tensor::empty_on_host(shape, DType::kU8);
  for (std::uint8_t& byte : images.mutable_data<std::uint8_t>()) byte = value;
  return images;
}

/// A call on [T, N] copies of image 0, 1, ... in turn; the result is on the host.
struct Call {
  Tensor images;
  std::int64_t tasks = 1, count = 1;
  std::vector<Augmentation> augmentations;
  std::uint64_t seed = 7;
  std::uint32_t step = 3, task0 = 0, image0 = 0, plain_period = 0;
  std::vector<std::int64_t> index;
  std::optional<std::int64_t> clock{};

  Tensor operator()() const {
    Context context(1, harness::one_target());
    return (*this)(context);
  }
  Tensor operator()(Context& context) const {
    const ContextScope scope(context);
    std::vector<std::int64_t> where = index;
    for (std::int64_t i = 0; where.size() < static_cast<std::size_t>(tasks * count); ++i)
      where.push_back(i % images.shape()[0]);
    const Tensor places = Tensor::from<std::int64_t>({tasks, count}, where), pixels = images.to_context();
    const Shape& s = images.shape();
    Tensor out = Tensor::full({tasks, count, s[1], s[2], s[3]}, DType::kF32, -7);
    Tensor now;
    GatherAugment kernel;
    if (clock) {
      now = Tensor::from<std::int64_t>({1}, std::vector<std::int64_t>{*clock});
      kernel.clock = now.view();
    }
    kernel.images = pixels.view();
    kernel.index = places.view();
    kernel.augmentations = augmentations;
    kernel.seed = seed;
    kernel.step = step;
    kernel.task0 = task0;
    kernel.image0 = image0;
    kernel.plain_period = plain_period;
    kernel.out = out.mutable_view();
    run(kernel, context);
    return out.to_host();
  }
};

std::vector<Augmentation> everything() {
  return {salt_pepper_of(0.3f, 0.4f), gaussian_of(0.2f), shift_by(4), gaussian_of(0.05f)};
}

TEST(SampleMath, ByteToUnitIsTheQuotient) {
  for (int value = 0; value < 256; ++value) {
    const auto x = static_cast<float>(value);
    EXPECT_EQ(byte_to_unit(x), x / 255.0f) << value;
  }
}

TEST(SampleMath, LogarithmIsWithinItsBound) {
  EXPECT_EQ(minus_two_log(0xffffffffu), 0.0f);
  for (std::uint32_t i = 0; i < (1u << 24) - 1; i += 61) {
    const double exact = -2 * std::log((i + 1.0) * 0x1p-24);
    ASSERT_NEAR(minus_two_log(i << 8), exact, 3e-7 * exact) << i;
  }
}

TEST(SampleMath, CosineAndSineAreWithinTheirBound) {
  for (std::uint64_t word = 0; word < (std::uint64_t{1} << 32); word += 16381) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(word >> 6) * 0x1p-26;
    const Pair turn = cos_sin_turn(static_cast<std::uint32_t>(word));
    ASSERT_NEAR(turn.first, std::cos(angle), 3e-7) << word;
    ASSERT_NEAR(turn.second, std::sin(angle), 3e-7) << word;
  }
}

TEST(GatherAugment, GathersAndScales) {
  const Tensor images = test_images({4, 3, 5, 2});
  const Tensor out = Call{.images = images, .tasks = 1, .count = 3, .augmentations = {}, .index = {2, 0, 2}}();
  for (std::int64_t n = 0; n < 3; ++n)
    for (std::int64_t i = 0; i < 30; ++i)
      EXPECT_EQ(out.item(n * 30 + i), static_cast<float>(images.item((n == 1 ? 0 : 60) + i)) / 255.0f);
}

TEST(GatherAugment, SameBitsOnEveryTargetAtAnyThreadCount) {
  // Whole and broken quads of values, several blocks an image, images smaller than a shift.
  for (const Shape& shape : {Shape{3, 13, 17, 3}, Shape{3, 28, 28, 1}, Shape{3, 1, 1, 1}, Shape{2, 9, 31, 2},
                             Shape{2, 3, 3, 4}, Shape{2, 1, 514, 1}, Shape{2, 511, 1, 1}, Shape{2, 16, 33, 5}}) {
    const Call call{.images = test_images(shape), .tasks = 3, .count = 4, .augmentations = everything(), .index = {}};
    Context reference(1, Target::kPortable);
    const Tensor expected = call(reference);
    for (const Target target : harness::targets()) {
      for (const int threads : {1, 3}) {
        Context context(threads, target);
        EXPECT_TRUE(same_bits(call(context), expected))
            << name_of(target) << ", threads " << threads << ", images " << shape.to_string();
      }
    }
  }
}

TEST(GatherAugment, SameBitsOnEveryTargetForEveryChain) {
  const std::vector<std::vector<Augmentation>> chains = {
      {shift_by(3), shift_by(5)},
      {gaussian_of(0.1f), shift_by(2), salt_pepper_of(0.5f, 0.5f), shift_by(9)},
      {shift_by(20)},
      {salt_pepper_of(0.2f, 0.9f), salt_pepper_of(0.1f, 0.1f)},
      std::vector<Augmentation>(kMaxAugmentations, gaussian_of(0.1f)),
  };
  for (const auto& chain : chains) {
    for (const std::int64_t channels : {1, 3, 4}) {
      const Call call{.images = test_images({7, 12, 15, channels}),
                      .tasks = 5,
                      .count = 7,
                      .augmentations = chain,
                      .plain_period = 4,
                      .index = {}};
      Context reference(1, Target::kPortable);
      const Tensor expected = call(reference);
      for (const Target target : harness::targets()) {
        Context context(2, target);
        EXPECT_TRUE(same_bits(call(context), expected)) << name_of(target) << ", " << channels << " channels";
      }
    }
  }
}

TEST(GatherAugment, AClockMovesTheStepOn) {
  Call call{.images = test_images({3, 9, 8, 1}), .tasks = 2, .count = 3, .augmentations = everything(), .index = {}};
  call.step = 11;
  const Tensor expected = call();
  call.step = 4, call.clock = 7;
  EXPECT_TRUE(same_bits(call(), expected));
  call.step = 0xffffffffu, call.clock = 12;  // modulo 2^32
  EXPECT_TRUE(same_bits(call(), expected));
  call.clock = 13;
  EXPECT_FALSE(same_bits(call(), expected));
}

TEST(GatherAugment, ReachesEveryImageOfALargeBatch) {
  // More images than a grid may be long in its second and third axis.
  const Call call{.images = test_images({301, 1, 2, 1}), .tasks = 33, .count = 2000, .augmentations = {}, .index = {}};
  const Tensor out = call();
  for (std::int64_t i = 0; i < out.numel(); ++i)
    ASSERT_EQ(out.item(i), static_cast<float>(call.images.item(i % 602)) / 255.0f) << i;
}

TEST(GatherAugment, AnyImageCanBeMadeAlone) {
  Call call{.images = test_images({5, 11, 12, 1}), .tasks = 4, .count = 5, .augmentations = everything(), .index = {}};
  const Tensor all = call();
  for (std::int64_t t = 0; t < 4; ++t) {
    for (std::int64_t n = 0; n < 5; ++n) {
      Call alone = call;
      alone.tasks = alone.count = 1;
      alone.task0 = static_cast<std::uint32_t>(t);
      alone.image0 = static_cast<std::uint32_t>(n);
      alone.index = {n};
      EXPECT_TRUE(same_bits(alone(), all.slice(t, 1).reshape({5, 11, 12, 1}).slice(n, 1))) << t << ", " << n;
    }
  }
}

TEST(GatherAugment, EveryPartOfTheAddressMatters) {
  const Call call{.images = constant_images({1, 8, 8, 1}, 100), .augmentations = {gaussian_of(0.1f)}, .index = {}};
  const Tensor base = call();
  Call other = call;
  other.seed = 8;
  EXPECT_FALSE(same_bits(other(), base));
  other = call;
  other.step = 4;
  EXPECT_FALSE(same_bits(other(), base));
  other = call;
  other.task0 = 1;
  EXPECT_FALSE(same_bits(other(), base));
  other = call;
  other.image0 = 1;
  EXPECT_FALSE(same_bits(other(), base));
  other = call;  // the same augmentation at another place of the list
  other.augmentations = {shift_by(0), gaussian_of(0.1f)};
  EXPECT_FALSE(same_bits(other(), base));
}

TEST(GatherAugment, StaysInsideTheUnitIntervalAndItsMemory) {
  const Call call{.images = test_images({4, 10, 9, 3}),
                  .tasks = 2,
                  .count = 4,
                  .augmentations = {gaussian_of(3.0f), salt_pepper_of(0.1f, 0.5f), gaussian_of(0.3f)},
                  .index = {}};
  const Tensor out = call();
  bool low = false, high = false;
  for (const float x : out.data<float>()) {
    ASSERT_GE(x, 0.0f);
    ASSERT_LE(x, 1.0f);
    low = low || x == 0.0f;
    high = high || x == 1.0f;
  }
  EXPECT_TRUE(low && high);

  // One image in the middle of a larger buffer: nothing beside it is written, be its address and size whole vectors or not.
  for (const auto& [before, values] : {std::pair<std::size_t, std::int64_t>{7, 7}, {8, 8}, {5, 8}, {8, 9}}) {
    Context context(1, harness::one_target());
    const ContextScope scope(context);
    harness::Memory<float> guarded(32, -3.0f);
    const Tensor image = test_images({1, values, 1, 1}).to_context(), index = Tensor::zeros({1, 1}, DType::kI64);
    const std::vector<Augmentation> augmentations = everything();
    GatherAugment kernel;
    kernel.images = image.view();
    kernel.index = index.view();
    kernel.augmentations = augmentations;
    kernel.out = {guarded.data() + before, DType::kF32, {1, 1, values, 1, 1}};
    run(kernel, context);
    harness::wait_for_device();
    for (std::size_t i = 0; i < guarded.size(); ++i)
      EXPECT_EQ(guarded[i] == -3, i < before || i >= before + static_cast<std::size_t>(values)) << i;
  }
}

TEST(GatherAugment, SaltAndPepperHitTheirShares) {
  const Call call{
      .images = constant_images({1, 500, 400, 1}, 128), .augmentations = {salt_pepper_of(0.3f, 0.25f)}, .index = {}};
  double salt = 0, pepper = 0;
  const Tensor out = call();
  for (const float x : out.data<float>()) {
    salt += x == 1.0f;
    pepper += x == 0.0f;
  }
  EXPECT_NEAR(salt / 200000, 0.3 * 0.25, 5 * std::sqrt(0.075 * 0.925 / 200000));
  EXPECT_NEAR(pepper / 200000, 0.3 * 0.75, 5 * std::sqrt(0.225 * 0.775 / 200000));
}

TEST(GatherAugment, SaltAndPepperAtItsLimits) {
  Call call{.images = constant_images({1, 6, 7, 1}, 128), .augmentations = {}, .index = {}};
  const auto expect_all = [&](const Augmentation& augmentation, float value) {
    call.augmentations = {augmentation};
    const Tensor out = call();
    for (const float x : out.data<float>()) EXPECT_EQ(x, value);
  };
  expect_all(salt_pepper_of(0, 1), 128.0f / 255.0f);
  expect_all(salt_pepper_of(1, 1), 1.0f);
  expect_all(salt_pepper_of(1, 0), 0.0f);
}

TEST(GatherAugment, SaltAndPepperTreatsChannelsAlike) {
  for (const std::int64_t channels : {2, 3, 4}) {
    Call call{.images = constant_images({1, 20, 15, channels}, 128),
              .augmentations = {salt_pepper_of(0.5f, 0.5f)},
              .index = {}};
    const Tensor colour = call();
    call.images = constant_images({1, 20, 15, 1}, 128);
    const Tensor grey = call();
    for (std::int64_t i = 0; i < colour.numel(); ++i) ASSERT_EQ(colour.item(i), grey.item(i / channels)) << i;
  }
}

TEST(GatherAugment, NoiseIsStandardNormal) {
  constexpr double kStd = 0.05;  // 5.77 deviations stay inside [0, 1]: nothing is clamped
  const Call call{.images = constant_images({1, 500, 400, 1}, 127), .augmentations = {gaussian_of(kStd)}, .index = {}};
  const Tensor out = call();
  constexpr int kBins = 32;
  std::vector<double> bins(kBins);
  double sum = 0, squares = 0, cubes = 0, fourths = 0, neighbours = 0, last = 0;
  for (const float x : out.data<float>()) {
    const double z = (x - 127.0 / 255.0) / kStd;
    sum += z;
    squares += z * z;
    cubes += z * z * z;
    fourths += z * z * z * z;
    neighbours += z * last;
    last = z;
    const double below = 0.5 * std::erfc(-z / std::numbers::sqrt2);
    bins[static_cast<std::size_t>(std::min(kBins - 1.0, below * kBins))] += 1;
  }
  // Five standard errors of each moment of a standard normal.
  constexpr double kN = 200000;
  EXPECT_NEAR(sum / kN, 0, 5 / std::sqrt(kN));
  EXPECT_NEAR(squares / kN, 1, 5 * std::sqrt(2 / kN));
  EXPECT_NEAR(cubes / kN, 0, 5 * std::sqrt(15 / kN));
  EXPECT_NEAR(fourths / kN, 3, 5 * std::sqrt(96 / kN));
  EXPECT_NEAR(neighbours / kN, 0, 5 / std::sqrt(kN));
  expect_uniform(bins);
}

TEST(GatherAugment, ShiftsAreUniform) {
  Tensor image = Tensor::zeros({1, 5, 5, 1}, DType::kU8);
  image.mutable_data<std::uint8_t>()[12] = 255;
  const Call call{.images = image, .tasks = 50, .count = 100, .augmentations = {shift_by(2)}, .index = {}};
  const Tensor out = call();
  std::vector<double> landed(25);
  for (std::int64_t i = 0; i < out.numel(); ++i) landed[static_cast<std::size_t>(i % 25)] += out.item(i);
  double sum = 0;
  for (const double count : landed) sum += count;
  EXPECT_EQ(sum, 5000);  // each image keeps its one white pixel
  expect_uniform(landed);
}

TEST(GatherAugment, ShiftMovesAndFillsWithZeros) {
  const Tensor images = test_images({1, 7, 5, 2});
  Call call{.images = images, .tasks = 1, .count = 200, .augmentations = {shift_by(8)}, .index = {}};
  const Tensor out = call();
  int emptied = 0;
  for (std::int64_t n = 0; n < 200; ++n) {
    const std::uint32_t address = augmentation_address(static_cast<std::uint32_t>(n), 0);
    const Offset by = shift_of(random_block(call.seed, Stream::kAugment, call.step, 0, address), 8);
    emptied += std::abs(by.y) >= 7 || std::abs(by.x) >= 5;
    for (std::int64_t y = 0; y < 7; ++y)
      for (std::int64_t x = 0; x < 5; ++x)
        for (std::int64_t c = 0; c < 2; ++c) {
          const std::int64_t from_y = y - by.y, from_x = x - by.x;
          const bool inside = from_y >= 0 && from_y < 7 && from_x >= 0 && from_x < 5;
          const double expected =
              inside ? static_cast<float>(images.item((from_y * 5 + from_x) * 2 + c)) / 255.0f : 0.0;
          ASSERT_EQ(out.item(((n * 7 + y) * 5 + x) * 2 + c), expected) << by.x << ", " << by.y;
        }
  }
  EXPECT_GT(emptied, 0);
  EXPECT_LT(emptied, 200);
}

TEST(GatherAugment, RunsTheAugmentationsInOrder) {
  Call call{.images = constant_images({1, 9, 9, 1}, 128), .tasks = 1, .count = 20, .augmentations = {}, .index = {}};
  const auto zeros = [&] {
    std::int64_t n = 0;
    const Tensor out = call();
    for (const float x : out.data<float>()) n += x == 0.0f;
    return n;
  };
  call.augmentations = {salt_pepper_of(1, 1), shift_by(3)};
  EXPECT_GT(zeros(), 0);  // the border that the shift has filled
  call.augmentations = {shift_by(3), salt_pepper_of(1, 1)};
  EXPECT_EQ(zeros(), 0);  // filled, then all made white
}

TEST(GatherAugment, LeavesPlainImagesAlone) {
  Call call{.images = test_images({1, 6, 6, 1}), .tasks = 2, .count = 6, .augmentations = {}, .index = {}};
  const Tensor plain = call();
  call.augmentations = {gaussian_of(0.2f)};
  const Tensor noisy = call();
  call.plain_period = 3;
  const Tensor mixed = call();
  for (std::int64_t i = 0; i < 12; ++i) {
    const auto row = [&](const Tensor& t) { return t.reshape({12, 36}).slice(i, 1); };
    EXPECT_TRUE(same_bits(row(mixed), row(i % 6 % 3 == 0 ? plain : noisy))) << i;
    EXPECT_FALSE(same_bits(row(noisy), row(plain))) << i;
  }
}

TEST(GatherAugment, RefusesWhatItCannotDo) {
  const Call good{.images = test_images({3, 4, 4, 1}), .tasks = 1, .count = 2, .augmentations = {}, .index = {0, 1}};
  Call call = good;
  call.augmentations = {salt_pepper_of(1.5f, 0)};
  EXPECT_NE(error_of([&] { call(); }).find("probability 1.5"), std::string::npos);
  call.augmentations = {gaussian_of(std::nanf(""))};
  EXPECT_NE(error_of([&] { call(); }).find("gaussian has std nan"), std::string::npos);
  call.augmentations = {shift_by(-1)};
  EXPECT_NE(error_of([&] { call(); }).find("shift has pixels -1"), std::string::npos);
  call.augmentations.assign(9, gaussian_of(0.1f));
  EXPECT_NE(error_of([&] { call(); }).find("9 augmentations"), std::string::npos);
  call = good;
  call.augmentations = {gaussian_of(0.1f)};
  call.image0 = kMaxImagesPerTask - 1;
  EXPECT_NE(error_of([&] { call(); }).find("a task"), std::string::npos);
  call = good;
  call.images = Tensor::zeros({3, 4, 4, 1}, DType::kF32);
  EXPECT_NE(error_of([&] { call(); }).find("images are f32 [3, 4, 4, 1]"), std::string::npos);
}

TEST(GatherAugment, AnIndexOutOfRangeIsAnErrorOrNanOnADevice) {
  Call call{.images = test_images({3, 4, 5, 1}), .tasks = 1, .count = 3, .augmentations = {}, .index = {}};
  for (const auto& augmentations : {std::vector<Augmentation>{}, everything()}) {
    call.augmentations = augmentations;
    call.index = {0, 3, 1};
    if (!has_device_engine()) {
      EXPECT_EQ(error_of([&] { call(); }), "gather_augment: index [0, 1] is 3; there are 3 images");
      call.index = {-1, 0, 0};
      EXPECT_EQ(error_of([&] { call(); }), "gather_augment: index [0, 0] is -1; there are 3 images");
      continue;
    }
    for (const std::int64_t wrong : {std::int64_t{3}, std::int64_t{-1}, std::int64_t{1} << 40}) {
      call.index[1] = wrong;
      const Tensor out = call();
      for (std::int64_t i = 0; i < 60; ++i) EXPECT_EQ(std::isnan(out.item(i)), i / 20 == 1) << i << ", index " << wrong;
    }
  }
}

// Pinned values: whoever changes an address or a formula changes every run of the past, and must see it here. A
// separate program, written from the addresses on in float64, gives the same values within the rounding of float32.
TEST(GatherAugment, FirstValuesAreKnown) {
  Call call{.images = constant_images({1, 2, 4, 1}, 128),
            .augmentations = {gaussian_of(0.1f)},
            .seed = 1,
            .step = 2,
            .index = {}};
  call.task0 = 3;
  call.image0 = 4;
  const std::vector<float> noise = {0x1.b84100p-2f, 0x1.76e804p-2f, 0x1.709084p-2f, 0x1.dd13a2p-2f,
                                    0x1.ad9746p-2f, 0x1.b5efb4p-2f, 0x1.e381bap-2f, 0x1.7c79b2p-1f};
  const Tensor noisy = call();
  for (std::int64_t i = 0; i < 8; ++i) EXPECT_EQ(noisy.item(i), noise[static_cast<std::size_t>(i)]) << i;

  call.augmentations = {salt_pepper_of(0.6f, 0.5f)};
  const Tensor spots = call();
  std::string picture;
  for (const float x : spots.data<float>()) picture += x == 0.0f ? '0' : x == 1.0f ? '1' : '.';
  EXPECT_EQ(picture, "0.000.11");

  const Offset by = shift_of(random_block(1, Stream::kAugment, 2, 3, augmentation_address(4, 1)), 6);
  EXPECT_EQ(by.x, -2);
  EXPECT_EQ(by.y, -5);
}

}  // namespace
}  // namespace innerloop::kernels
