#include "tensor/philox.h"

#include <gtest/gtest.h>

namespace innerloop {
namespace {

void expect_block(PhiloxBlock counter, std::uint32_t key0, std::uint32_t key1, PhiloxBlock expected) {
  const PhiloxBlock got = philox4x32_10(counter, key0, key1);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(got.word[i], expected.word[i]) << "word " << i;
}

// The three known-answer vectors of the Random123 distribution for philox4x32-10.
TEST(Philox, KnownAnswers) {
  expect_block({{0, 0, 0, 0}}, 0, 0, {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}});
  expect_block({{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}}, 0xffffffff, 0xffffffff,
               {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}});
  expect_block({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0xa4093822, 0x299f31d0,
               {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}});
}

TEST(Philox, EveryPartOfTheAddressMatters) {
  const auto base = random_block(1, Stream::kTask, 2, 3, 4).word[0];
  EXPECT_NE(base, random_block(2, Stream::kTask, 2, 3, 4).word[0]);
  EXPECT_NE(base, random_block(std::uint64_t{1} << 32 | 1, Stream::kTask, 2, 3, 4).word[0]);
  EXPECT_NE(base, random_block(1, Stream::kAugment, 2, 3, 4).word[0]);
  EXPECT_NE(base, random_block(1, Stream::kTask, 3, 3, 4).word[0]);
  EXPECT_NE(base, random_block(1, Stream::kTask, 2, 4, 4).word[0]);
  EXPECT_NE(base, random_block(1, Stream::kTask, 2, 3, 5).word[0]);
}

TEST(Philox, SequenceReadsTheAddressesInOrder) {
  PhiloxSequence sequence(7, Stream::kInit, 1, 2);
  for (std::uint32_t i = 0; i < 12; ++i)
    EXPECT_EQ(sequence.next(), random_block(7, Stream::kInit, 1, 2, i / 4).word[i % 4]);
}

TEST(Philox, UniformStaysBelowOneAndIsExact) {
  EXPECT_EQ(uniform01(0), 0.0f);
  EXPECT_LT(uniform01(0xffffffff), 1.0f);
  EXPECT_EQ(uniform_below(0xffffffff, 10), 9u);
  EXPECT_EQ(uniform_below(0, 10), 0u);
}

TEST(Philox, NormalHasUnitMoments) {
  PhiloxSequence sequence(3, Stream::kCheck);
  double sum = 0, squares = 0;
  constexpr int kDraws = 200000;
  for (int i = 0; i < kDraws; ++i) {
    const double x = sequence.normal();
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / kDraws, 0, 0.01);
  EXPECT_NEAR(squares / kDraws, 1, 0.02);
}

}  // namespace
}  // namespace innerloop
