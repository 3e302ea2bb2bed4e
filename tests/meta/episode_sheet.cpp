#include "meta/episode_sheet.h"

#include <gtest/gtest.h>

#include "fixtures.h"
#include "meta/truth_checks.h"
#include "support/compare.h"

namespace innerloop::meta {
namespace {

TEST(EpisodeSheet, ShowsEachImageInItsPlace) {
  const io::ImageSet set = test::tiny_set({5, 5, 5});
  TaskSourceOptions o;
  o.scheme = kernels::TaskScheme::kGroups;
  o.ways = 2;
  o.shots = 2;
  o.queries = 3;
  o.tasks = 2;
  const TaskBatch batch = TaskSource(set, o).draw(0);
  SheetOptions sheet_options;
  sheet_options.ways = 2;
  sheet_options.min_cell = 24;
  sheet_options.columns = 1;
  const io::Image sheet = episode_sheet(batch, sheet_options);
  // Cells of 24 pixels and gaps of 4; margins of 12 and lines of 1 between support, queries and tasks.
  const std::int64_t band = 24 + 4 + 24;
  EXPECT_EQ(sheet.height, 2 * (band + 24) + 1);
  EXPECT_EQ(sheet.width, 12 + (24 + 4 + 24) + 12 + 1 + 12 + (3 * 24 + 2 * 4) + 12);
  const auto shown = [&](const Tensor& images, std::int64_t t, std::int64_t n, std::int64_t top, std::int64_t left) {
    for (std::int64_t y = 0; y < 24; ++y)
      for (std::int64_t x = 0; x < 24; ++x) {
        const double value = images.item(((t * images.shape()[1] + n) * 12 + y / 2) * 12 + x / 2) * 255;
        EXPECT_NEAR(sheet.pixels[static_cast<std::size_t>((top + y) * sheet.width + left + x)], value, 0.51);
      }
  };
  shown(batch.support_x, 0, 0, 12, 12);
  shown(batch.support_x, 0, 3, 12 + 28, 12 + 28);
  shown(batch.query_x, 1, 5, band + 25 + 12 + 28, 12 + 52 + 12 + 1 + 12 + 2 * 28);
  sheet_options.columns = 2;
  const io::Image wide = episode_sheet(batch, sheet_options);
  EXPECT_EQ(wide.height, band + 24);
  EXPECT_EQ(wide.width, 2 * sheet.width + 1);
  // The second task's first query is the same picture in both.
  const std::int64_t query_left = 12 + 52 + 12 + 1 + 12;
  for (std::int64_t x = 0; x < 24; ++x)
    EXPECT_EQ(wide.pixels[static_cast<std::size_t>(12 * wide.width + sheet.width + 1 + query_left + x)],
              sheet.pixels[static_cast<std::size_t>((band + 25 + 12) * sheet.width + query_left + x)]);
  sheet_options.ways = 3;
  EXPECT_TRUE(test::throws_with([&] { episode_sheet(batch, sheet_options); }, {"episode sheet", "3 ways"}));
}

TEST(EpisodeSheet, ShrinksLargeImages) {
  TaskBatch batch{Tensor::full({1, 1, 200, 100, 3}, DType::kF32, 1), Tensor(),
                  Tensor::full({1, 1, 200, 100, 3}, DType::kF32, 0), Tensor()};
  SheetOptions o;
  o.ways = 1;
  const io::Image sheet = episode_sheet(batch, o);
  EXPECT_EQ(sheet.height, 12 + 96 + 12);
  EXPECT_EQ(sheet.width, 12 + 48 + 12 + 1 + 12 + 48 + 12);
  EXPECT_EQ(sheet.pixels[static_cast<std::size_t>((60 * sheet.width + 30) * 3)], 255);
  EXPECT_EQ(sheet.pixels[static_cast<std::size_t>((60 * sheet.width + 100) * 3)], 0);
}

TEST(TruthChecks, AllPassAndCoverEveryPreset) {
  std::size_t seen = 0;
  const auto checks = run_truth_checks([&](const TruthCheck&) { ++seen; });
  EXPECT_EQ(seen, checks.size());
  for (const TruthCheck& c : checks) EXPECT_TRUE(c.pass) << c.name << ": " << c.value << " > " << c.bound;
  for (const std::string& preset : io::preset_names()) {
    int count = 0;
    for (const TruthCheck& c : checks) count += c.name.starts_with(preset + ":") ? 1 : 0;
    EXPECT_GE(count, 4) << preset;
  }
}

}  // namespace
}  // namespace innerloop::meta
