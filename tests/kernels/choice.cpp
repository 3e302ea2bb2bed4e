#include "kernels/norm.h"
#include "tests/kernels/harness.h"

namespace innerloop::kernels {
namespace {

using namespace harness;

class ChoiceTest : public ::testing::TestWithParam<DType> {};
INSTANTIATE_TEST_SUITE_P(Dtypes, ChoiceTest, ::testing::Values(DType::kF32, DType::kF64),
                         [](const auto& instance) { return std::string(name_of(instance.param)); });

const Shape kShapes[] = {Shape{1}, Shape{0, 4}, Shape{2, 3, 5, 7, 3}, Shape{3, 5, 14, 14, 64}};

TEST_P(ChoiceTest, DecodeGivesPositionsAndWhatLives) {
  for (const Shape& shape : kShapes) {
    SCOPED_TRACE(shape.to_string());
    std::vector<double> values(static_cast<std::size_t>(shape.numel()));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i * 7 % (kDead + 1));
    const Array choice(shape, DType::kU8, values);
    Array position(shape, DType::kI32), alive(shape, GetParam());
    run_everywhere(
        {&position, &alive},
        [&](Context& c) {
          run(ChoiceDecode{choice.view(), position.mutable_view(), alive.mutable_view()}, c);
        },
        [&] {
          for (std::size_t i = 0; i < values.size(); ++i) {
            ASSERT_EQ(position[i], values[i] == kDead ? 0 : values[i]) << i;
            ASSERT_EQ(alive[i], values[i] == kDead ? 0 : 1) << i;
          }
        });
  }
}

TEST_P(ChoiceTest, EncodeKeepsPositionsOfWhatIsAboveZero) {
  for (const Shape& shape : kShapes) {
    SCOPED_TRACE(shape.to_string());
    std::vector<double> values = random_array(shape, DType::kF64, 1).values(), at(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      at[i] = static_cast<double>(i * 5 % kDead);
      if (i % 7 == 3) values[i] = std::vector<double>{0.0, -0.0, std::nan(""), HUGE_VAL, -HUGE_VAL}[i / 7 % 5];
    }
    const Array p(shape, GetParam(), values), position(shape, DType::kI32, at);
    Array with(shape, DType::kU8), without(shape, DType::kU8);
    run_everywhere(
        {&with, &without},
        [&](Context& c) {
          run(ChoiceEncode{p.view(), position.view(), with.mutable_view()}, c);
          run(ChoiceEncode{p.view(), {}, without.mutable_view()}, c);
        },
        [&] {
          for (std::size_t i = 0; i < values.size(); ++i) {
            ASSERT_EQ(with[i], values[i] > 0 ? at[i] : kDead) << i;
            ASSERT_EQ(without[i], values[i] > 0 ? 0 : kDead) << i;
          }
        });
  }
}

}  // namespace
}  // namespace innerloop::kernels
