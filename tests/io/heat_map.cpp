#include "io/heat_map.h"

#include <gtest/gtest.h>

#include "data_fixtures.h"

namespace innerloop::io {
namespace {

Image grey(std::int64_t height, std::int64_t width, std::uint8_t value) {
  return {height, width, 1, std::vector<std::uint8_t>(static_cast<std::size_t>(height * width), value)};
}

TEST(HeatMap, LeavesColdPlacesAndTheCopyBesideAsTheyAre) {
  const Image out = overlay_heat_map(grey(2, 4, 90), std::vector<float>{0, 0, 0, 1}, {1, 4});
  ASSERT_EQ(out.height, 2);
  ASSERT_EQ(out.width, 8);
  ASSERT_EQ(out.channels, 3);
  const auto pixel = [&](std::int64_t y, std::int64_t x, int c) {
    return out.pixels[static_cast<std::size_t>((y * 8 + x) * 3 + c)];
  };
  for (std::int64_t y = 0; y < 2; ++y) {
    for (std::int64_t x = 0; x < 7; ++x)
      for (int c = 0; c < 3; ++c) EXPECT_EQ(pixel(y, x, c), 90) << y << ", " << x;
    EXPECT_GT(pixel(y, 7, 0), 180);  // red
    EXPECT_LT(pixel(y, 7, 1), 90);
    EXPECT_LT(pixel(y, 7, 2), 90);
  }
}

TEST(HeatMap, IsInterpolatedBetweenTheCentresOfItsCells) {
  // Cells of two pixels: the value of a pixel's centre is 1/4 or 3/4 of the way from one cell's centre to the next.
  const Image out = overlay_heat_map(grey(1, 4, 0), std::vector<float>{0, 1}, {1, 2});
  const auto red = [&](std::int64_t x) { return 1.0 * out.pixels[static_cast<std::size_t>((4 + x) * 3)] / (0.6 * 255); };
  EXPECT_NEAR(red(0), 0, 0.01);
  EXPECT_NEAR(red(1), 0.25, 0.01);
  EXPECT_NEAR(red(2), 0.75, 0.01);
  EXPECT_NEAR(red(3), 1, 0.01);
}

TEST(HeatMap, Refuses) {
  const Image image = grey(2, 2, 0);
  EXPECT_SAYS(overlay_heat_map(image, std::vector<float>{0, 0}, {2, 2}), "2 values for 2x2");
  EXPECT_SAYS(overlay_heat_map(image, std::vector<float>{2}, {1, 1}), "2 is not in [0, 1]");
  EXPECT_SAYS(overlay_heat_map({}, std::vector<float>{0}, {1, 1}), "no pixel");
}

}  // namespace
}  // namespace innerloop::io
