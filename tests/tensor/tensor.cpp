#include "tensor/tensor.h"

#include <gtest/gtest.h>

#include "tensor/arena_stats.h"
#include "tensor/context.h"

namespace innerloop {
namespace {

std::string text_of(auto f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST(Shape, BroadcastFollowsNumPy) {
  EXPECT_EQ(broadcast({4, 1, 3}, {5, 1}, "add"), (Shape{4, 5, 3}));
  EXPECT_EQ(broadcast({}, {2, 2}, "add"), (Shape{2, 2}));
  EXPECT_NE(text_of([] { broadcast({4, 3}, {2, 3}, "add"); }).find("add: shapes [4, 3] and [2, 3]"), std::string::npos);
}

TEST(Shape, RefusesSevenAxes) { EXPECT_THROW((Shape{1, 2, 3, 4, 5, 6, 7}), Error); }

TEST(Tensor, SlicesAndReshapesShareMemory) {
  Tensor t = Tensor::from<float>({2, 3}, std::vector<float>{0, 1, 2, 3, 4, 5});
  const std::size_t before = Context::current().arena().stats().current;
  Tensor row = t.slice(1, 1).reshape({3});
  EXPECT_EQ(Context::current().arena().stats().current, before);
  EXPECT_EQ(row.item(2), 5);
  row.mutable_data<float>()[0] = 9;
  EXPECT_EQ(t.item(3), 9);
  EXPECT_THROW(t.slice(1, 2), Error);
  EXPECT_THROW(t.reshape({4}), Error);
}

TEST(Tensor, ConvertsAndClones) {
  Tensor bytes = Tensor::from<std::uint8_t>({2}, std::vector<std::uint8_t>{7, 255});
  EXPECT_EQ(bytes.to(DType::kF64).item(1), 255);
  Tensor copy = bytes.clone();
  copy.mutable_data<std::uint8_t>()[0] = 0;
  EXPECT_EQ(bytes.item(0), 7);
  EXPECT_NE(text_of([&] { bytes.data<float>(); }).find("f32 elements asked of a u8 tensor"), std::string::npos);
}

TEST(Tensor, ZeroSizedIsDefined) {
  Tensor t = Tensor::zeros({0, 3}, DType::kF32);
  EXPECT_TRUE(t.defined());
  EXPECT_EQ(t.numel(), 0);
  EXPECT_FALSE(Tensor().defined());
}

}  // namespace
}  // namespace innerloop
